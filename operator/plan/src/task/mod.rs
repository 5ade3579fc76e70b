//! A task definition as a pod: one ECS concept a file.
