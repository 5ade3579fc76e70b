//! The operator's binary: `run`, `uninstall`, `crd`, `version`. Wiring only.

mod logs;
mod options;

use std::process::ExitCode;

use clap::Parser;

use crate::options::{Arguments, Command, CrdArguments, RunArguments, UninstallArguments};

// Relists fragment glibc's arenas.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run(arguments),
        Command::Uninstall(arguments) => uninstall(arguments),
        Command::Crd(arguments) => crd(&arguments),
        Command::Version => {
            println!("ecs-operator {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ecs-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Box<RunArguments>) -> anyhow::Result<()> {
    logs::start(arguments.logs.log_format, &arguments.logs.log_level)?;
    let options = arguments.into_options()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        tracing::info!(
            step = "start",
            version = env!("CARGO_PKG_VERSION"),
            namespaces = options.namespaces.join(","),
            "starting"
        );
        Ok(runtime::run(options).await?)
    })
}

fn uninstall(arguments: UninstallArguments) -> anyhow::Result<()> {
    logs::start(arguments.logs.log_format, &arguments.logs.log_level)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let released = runtime::uninstall::uninstall(arguments.into_uninstall()).await?;
        tracing::info!(step = "uninstall", released, "no finalizers are left");
        Ok(())
    })
}

/// Prints the definitions as one YAML stream, or writes a file for each.
fn crd(arguments: &CrdArguments) -> anyhow::Result<()> {
    for definition in plan::support::definitions()? {
        let text = api::crds::yaml(&definition)?;
        match &arguments.directory {
            Some(directory) => std::fs::write(directory.join(api::crds::file_name(&definition)), text)?,
            None => print!("---\n{text}"),
        }
    }
    Ok(())
}
