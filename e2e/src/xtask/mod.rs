//! The subcommands of `cargo xtask`: one file each, with its arguments and one `run`.

pub mod cluster;
