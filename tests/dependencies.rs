//! What `cargo deny check licenses bans sources` would say, for machines without it: the same `deny.toml` is read.

use std::{collections::BTreeMap, fs, path::Path};

use cargo_metadata::{Metadata, MetadataCommand, Package};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

struct Deny {
    licences: Vec<String>,
    /// Crates whose duplicate versions are accepted, with the reason beside them in the file.
    skipped: Vec<String>,
}

fn deny() -> Deny {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deny.toml");
    let table: toml::Table = fs::read_to_string(path).expect("deny.toml is there").parse().expect("deny.toml is TOML");
    let text = |value: &toml::Value| value.as_str().expect("a string").to_owned();
    let list = |section: &str, key: &str| {
        table[section][key].as_array().unwrap_or_else(|| panic!("{section}.{key} is a list")).clone()
    };
    Deny {
        licences: list("licenses", "allow").iter().map(text).collect(),
        skipped: list("bans", "skip").iter().map(|entry| text(&entry["crate"])).collect(),
    }
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .other_options(["--locked".to_owned(), "--filter-platform=x86_64-unknown-linux-gnu".to_owned()])
        .exec()
        .expect("cargo metadata runs in this workspace")
}

fn is_ours(package: &Package) -> bool {
    package.source.is_none()
}

/// `A OR B` needs one of them, `A AND B` each; `/` is an old way to write OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    let one = |licence: &str| allowed.iter().any(|name| name == licence.trim());
    let alternatives = |part: &str| part.split(" OR ").any(one);
    plain.split(" AND ").all(alternatives) || plain.split(" OR ").any(|part| part.split(" AND ").all(one))
}

#[test]
fn every_licence_is_one_we_allow() {
    let allowed = deny().licences;
    let metadata = metadata();
    let of = |package: &Package| package.license.clone().unwrap_or_else(|| "none given".to_owned());
    let refused = metadata.packages.iter().filter(|package| !is_ours(package) && !is_allowed(&of(package), &allowed));
    let refused: Vec<_> =
        refused.map(|package| format!("{} {}: {}", package.name, package.version, of(package))).collect();
    assert!(refused.is_empty(), "licences not in deny.toml:\n{}", refused.join("\n"));
}

#[test]
fn every_crate_comes_from_the_registry() {
    let metadata = metadata();
    let foreign = metadata.packages.iter().filter(|p| p.source.as_ref().is_some_and(|source| source.repr != CRATES_IO));
    assert_eq!(foreign.map(|package| package.name.to_string()).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn no_crate_is_there_twice_without_a_reason() {
    let skipped = deny().skipped;
    let metadata = metadata();
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in &metadata.packages {
        versions.entry(package.name.as_str()).or_default().push(package.version.to_string());
    }
    versions.retain(|name, versions| {
        versions.len() > 1 && !skipped.iter().any(|skip| skip.split('@').next() == Some(*name))
    });
    assert!(versions.is_empty(), "in several versions, without a reason in deny.toml: {versions:#?}");
}

#[test]
fn licence_expressions_are_read() {
    let allowed = ["MIT".to_owned(), "Apache-2.0".to_owned()];
    let check =
        |expression: &str, expected: bool| assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    check("MIT", true);
    check("MIT/Apache-2.0", true);
    check("GPL-3.0 OR MIT", true);
    check("(MIT OR GPL-3.0) AND Apache-2.0", true);
    check("MIT AND GPL-3.0", false);
    check("GPL-3.0", false);
    check("none given", false);
}
