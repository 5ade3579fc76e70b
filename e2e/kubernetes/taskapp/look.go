package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// environment prints the environment as a JSON object.
func environment([]string) error {
	return print(variables())
}

func variables() map[string]string {
	all := map[string]string{}
	for _, one := range os.Environ() {
		name, value, _ := strings.Cut(one, "=")
		all[name] = value
	}
	return all
}

// id prints what the process can see of itself as a JSON object; kernel settings are named by the arguments, such as
// net.core.somaxconn.
func id(arguments []string) error {
	return print(self(arguments))
}

func self(settings []string) map[string]any {
	folder, _ := os.Getwd()
	host, _ := os.Hostname()
	groups, _ := os.Getgroups()
	status := status()
	readable := map[string]string{}
	for _, name := range settings {
		content, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
		if err != nil {
			readable[name] = err.Error()
			continue
		}
		readable[name] = strings.TrimSpace(string(content))
	}
	return map[string]any{
		"uid":              os.Getuid(),
		"gid":              os.Getgid(),
		"groups":           groups,
		"pid":              os.Getpid(),
		"cwd":              folder,
		"hostname":         host,
		"arguments":        os.Args,
		"environment":      variables(),
		"capabilities":     capabilities(status["CapEff"]),
		"boundingSet":      capabilities(status["CapBnd"]),
		"noNewPrivileges":  status["NoNewPrivs"] == "1",
		"isRootWritable":   isWritable("/"),
		"settings":         readable,
		"mounts":           mounts(),
		"limits":           limits(),
		"hosts":            lines("/etc/hosts"),
		"nameserverConfig": lines("/etc/resolv.conf"),
		"processes":        processes(),
		"devices":          names("/dev"),
	}
}

func print(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	return encoder.Encode(value)
}

// status is /proc/self/status by name.
func status() map[string]string {
	all := map[string]string{}
	for _, line := range lines("/proc/self/status") {
		name, value, _ := strings.Cut(line, ":")
		all[name] = strings.TrimSpace(value)
	}
	return all
}

func lines(path string) []string {
	content, err := os.ReadFile(path)
	if err != nil {
		return []string{}
	}
	return strings.Split(strings.TrimRight(string(content), "\n"), "\n")
}

// names is what a folder holds.
func names(path string) []string {
	entries, _ := os.ReadDir(path)
	all := []string{}
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// processes is the first argument of every process that this one sees, by id.
func processes() map[string]string {
	all := map[string]string{}
	for _, name := range names("/proc") {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		content, err := os.ReadFile("/proc/" + name + "/cmdline")
		if err == nil {
			all[name] = strings.TrimSpace(strings.ReplaceAll(string(content), "\x00", " "))
		}
	}
	return all
}

func isWritable(folder string) bool {
	file, err := os.CreateTemp(folder, "taskapp")
	if err != nil {
		return false
	}
	file.Close()
	os.Remove(file.Name())
	return true
}

type mount struct {
	Path    string `json:"path"`
	Type    string `json:"type"`
	Options string `json:"options"`
	Size    uint64 `json:"bytes"`
}

// mounts is every mount with its options (its own and its file system's) and its size.
func mounts() []mount {
	all := []mount{}
	for _, line := range lines("/proc/self/mountinfo") {
		// 36 35 98:0 /root /path rw,noatime master:1 - ext4 /dev/sda rw,errors=continue
		before, after, _ := strings.Cut(line, " - ")
		own, system := strings.Fields(before), strings.Fields(after)
		if len(own) < 6 || len(system) < 3 {
			continue
		}
		one := mount{Path: own[4], Type: system[0], Options: own[5] + "," + system[2]}
		var sizes syscall.Statfs_t
		if err := syscall.Statfs(own[4], &sizes); err == nil {
			one.Size = sizes.Blocks * uint64(sizes.Bsize)
		}
		all = append(all, one)
	}
	return all
}

// limits is /proc/self/limits: name, soft and hard limit.
func limits() map[string][2]string {
	all := map[string][2]string{}
	for _, line := range lines("/proc/self/limits") {
		// The name has 26 characters, then come columns of 21.
		if len(line) < 68 || strings.HasPrefix(line, "Limit") {
			continue
		}
		all[strings.TrimSpace(line[:26])] = [2]string{strings.TrimSpace(line[26:47]), strings.TrimSpace(line[47:68])}
	}
	return all
}

// Names by bit number, as in linux/capability.h.
var capabilityNames = []string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

func capabilities(hexadecimal string) []string {
	bits, _ := strconv.ParseUint(hexadecimal, 16, 64)
	all := []string{}
	for bit, name := range capabilityNames {
		if bits&(1<<bit) != 0 {
			all = append(all, name)
		}
	}
	return all
}
