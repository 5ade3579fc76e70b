module ecs-operator.dev/e2e/kubernetes/taskapp

go 1.26.0
