//! `cargo xtask test` runs this after the scenarios: the chart's rules are what the operator needed for all of them.

use anyhow::Result;
use e2e::cluster::Cluster;
use e2e::rights;
use e2e::scenario::Environment;

#[tokio::test]
async fn when_every_scenario_has_run_then_nothing_was_forbidden_to_the_operator_and_no_rule_was_idle() -> Result<()> {
    // Without the scenarios before it, there is nothing to look at.
    let Some(log) = Environment::read().ok().and_then(|environment| environment.audit_log) else {
        println!("skipped: this needs the audit log of a cluster on which `cargo xtask test` ran the scenarios");
        return Ok(());
    };
    let cluster = Cluster::attach(&Environment::read()?.kubeconfig).await?;
    rights::check(&cluster.client()?, &log, true).await
}
