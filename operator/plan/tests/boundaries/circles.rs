//! No two files need each other, directly or through others: whoever reads one file knows which others come before it.
//!
//! A module and its own children are one thing in several files and may need each other. That is one direction only for a
//! walk: a way around through a child and back over its parent is a circle like any other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::Path;

use super::source::{File, Module, modules, target};

/// What each module needs, and the line that says so.
type Needs<'a> = BTreeMap<&'a Module, BTreeMap<&'a Module, usize>>;

fn needs(modules: &BTreeMap<Module, File>) -> Needs<'_> {
    let mut needs = Needs::new();
    for (module, file) in modules {
        let needed = needs.entry(module).or_default();
        for mention in &file.mentions {
            let target = target(modules, &mention.path);
            if let Some((target, _)) = modules.get_key_value(&target).filter(|(target, _)| *target != module) {
                needed.entry(target).or_insert(mention.line);
            }
        }
    }
    needs
}

/// The shortest way from a module back to itself.
fn circle<'a>(needs: &Needs<'a>, start: &'a Module) -> Option<Vec<&'a Module>> {
    let mut before: BTreeMap<&Module, &Module> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(module) = next.pop_front() {
        for &needed in needs.get(module).into_iter().flat_map(BTreeMap::keys) {
            if needed == start {
                let mut way = vec![start, module];
                while let Some(&earlier) = way.last().and_then(|last| before.get(last)) {
                    way.push(earlier);
                }
                way.reverse();
                way.dedup();
                return Some(way);
            }
            if !before.contains_key(needed) {
                before.insert(needed, module);
                next.push_back(needed);
            }
        }
    }
    None
}

/// Each circle once, the shortest that each of its modules is in.
fn circles(modules: &BTreeMap<Module, File>) -> BTreeSet<String> {
    let all = needs(modules);
    let is_below = |module: &Module, other: &Module| module.len() > other.len() && module.starts_with(other);
    let without = |is_left_out: &dyn Fn(&Module, &Module) -> bool| -> Needs<'_> {
        all.iter()
            .map(|(module, needed)| {
                let needed = needed.iter().filter(|(it, _)| !is_left_out(module, it)).map(|(it, line)| (*it, *line));
                (*module, needed.collect())
            })
            .collect()
    };
    let upwards = without(&|module, needed| is_below(needed, module));
    let downwards = without(&|module, needed| is_below(module, needed));
    let mut found = BTreeSet::new();
    for needs in [&upwards, &downwards] {
        let mut told: BTreeSet<&Module> = BTreeSet::new();
        for &start in needs.keys() {
            if told.contains(start) {
                continue;
            }
            let Some(way) = circle(needs, start) else { continue };
            told.extend(&way);
            found.insert(describe(modules, needs, &way));
        }
    }
    found
}

/// `a.rs → b.rs (line 3) → a.rs (line 7)`
fn describe(modules: &BTreeMap<Module, File>, needs: &Needs<'_>, way: &[&Module]) -> String {
    let name = |module: &Module| modules[module].path.display().to_string();
    let mut text = name(way[0]);
    for pair in way.windows(2) {
        write!(text, ":{} → {}", needs[pair[0]][pair[1]], name(pair[1])).unwrap();
    }
    text
}

fn assert_no_circles(package: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(package).join("src");
    let modules = modules(&folder);
    assert!(modules.len() > 5, "{} has no modules", folder.display());
    let circles: Vec<_> = circles(&modules).into_iter().map(|circle| format!("  {circle}")).collect();
    assert!(
        circles.is_empty(),
        "files of {package} need each other (file:line → what it needs there): move what both need below both\n{}",
        circles.join("\n")
    );
}

#[test]
fn no_two_files_of_ecs_need_each_other() {
    assert_no_circles("operator/ecs");
}

#[test]
fn no_two_files_of_plan_need_each_other() {
    assert_no_circles("operator/plan");
}

#[test]
fn no_two_files_of_runtime_need_each_other() {
    assert_no_circles("operator/runtime");
}

#[test]
fn no_two_files_around_the_operator_need_each_other() {
    for package in ["documents", "kubectl-ecs", "e2e"] {
        assert_no_circles(package);
    }
}
