//! The table of integrations is complete, and what is generated from it is not stale.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests report by panicking

use std::path::Path;

use plan::core::integration::{Integration, chart_rules, reference};
use plan::{ClusterFeatures, Kind, Settings};

fn is_up_to_date(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "{} is stale: UPDATE=1 cargo test -p plan --test integrations", path.display());
}

#[test]
fn what_is_generated_from_the_table_is_up_to_date() {
    is_up_to_date("docs/reference/integrations.md", &reference());
    is_up_to_date("charts/ecs-operator/templates/_integrations.tpl", &chart_rules());
}

#[test]
fn every_optional_kind_belongs_to_an_integration() {
    for kind in Kind::ALL {
        assert_eq!(Integration::of(kind).is_some(), kind.is_optional(), "{kind}");
    }
}

#[test]
fn when_a_cluster_serves_the_kinds_of_an_integration_then_it_is_available() {
    let mut settings = Settings::default();
    assert!(Integration::ALL.into_iter().all(|one| !one.is_available(&settings)), "nothing is there by default");
    settings.facts = ClusterFeatures {
        served: ["snapshot.storage.k8s.io/v1", "windows.k8s.io/v1"].map(ToOwned::to_owned).into(),
        ..ClusterFeatures::default()
    };
    settings.has_binpack_profiles = true;
    let available: Vec<_> = Integration::ALL.into_iter().filter(|one| one.is_available(&settings)).collect();
    let expected =
        [Integration::VolumeSnapshots, Integration::GroupManagedServiceAccounts, Integration::BinpackScheduler];
    assert_eq!(available, expected);
}
