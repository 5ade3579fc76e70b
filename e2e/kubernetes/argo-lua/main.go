// Runs the Lua scripts of integrations/argo-cd as Argo CD runs them: the same interpreter and JSON conversion, and only the
// libraries that Argo CD opens, which do not include the one for strings.
//
//	argo-lua test FOLDER             runs every health_test.yaml and action_test.yaml below the folder
//	argo-lua run SCRIPT < OBJECT     prints what a script returns for an object, as JSON
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := execute(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func execute(arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "test":
		return testAll(arguments[1])
	case len(arguments) == 2 && arguments[0] == "run":
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		var object map[string]any
		if err := json.Unmarshal(text, &object); err != nil {
			return err
		}
		result, err := run(arguments[1], object)
		if err != nil {
			return err
		}
		fmt.Println(string(result))
		return nil
	}
	return errors.New("usage: argo-lua test FOLDER | argo-lua run SCRIPT < OBJECT")
}
