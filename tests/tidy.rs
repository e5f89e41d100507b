//! The house rules a compiler doesn't check: which crate may import which, and that the map names every crate.

use std::{collections::BTreeMap, fs, path::Path};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// The rows of ARCHITECTURE.md, lowest first. Imports point downwards; crates of one row don't import each other.
const ROWS: &[(&str, &[&str])] = &[
    ("word", &["model", "media", "sip", "sipconf"]),
    ("engine", &["leg", "mixer", "sfu", "streaming", "store"]),
    ("plane", &["plane"]),
    ("core", &["conference"]),
    ("edge", &["gateway", "api"]),
    ("top", &["huitong"]),
];

/// Imports that the rows would refuse, each with its reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("sipconf", "media", "prompts are clips of sound, and `media` is the word for that"),
    ("studio", "media", "tracks are named by its words on the wire"),
    ("studio", "model", "participants are named by its words on the wire"),
    ("studio", "streaming", "the wire between the two processes is written once, in `streaming::wire`"),
];

/// What only one crate may know, and what that crate then is.
const ONLY: &[(&str, &[&str])] = &[
    ("str0m", &["sfu"]),
    ("rtc-dtls", &["leg"]),
    ("rtc-shared", &["leg"]),
    ("sqlx", &["store"]),
    // Neither a packet nor what telephones ask waits for a database.
    ("store", &["conference", "api", "huitong"]),
    ("gstreamer", &["studio"]),
    ("gstreamer-app", &["studio"]),
    ("gstreamer-video", &["studio"]),
    ("axum", &["api"]),
    ("sip", &["gateway"]),
];

/// What the pure row must not link: it has no IO, no clock, no tasks.
const IMPURE: &[&str] = &["tokio", "mio", "socket2", "sqlx", "axum", "reqwest", "tracing-subscriber"];

fn workspace() -> Vec<Package> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata runs in this workspace");
    metadata.packages
}

fn row(package: &str) -> Option<usize> {
    ROWS.iter().position(|(_, crates)| crates.contains(&package))
}

fn imports(package: &Package) -> impl Iterator<Item = &str> {
    let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.as_str())
}

#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    for package in workspace() {
        let name = package.name.as_str();
        for import in imports(&package) {
            let (Some(to), from) = (row(import), row(name)) else { continue };
            let allowed = ALLOWED.iter().any(|(a, b, _)| (*a, *b) == (name, import));
            if !allowed && name != "tests" && from.is_none_or(|from| to >= from) {
                let of = |index: Option<usize>| index.map_or("no row", |index| ROWS[index].0);
                wrong.push(format!("{name} ({}) imports {import} ({})", of(from), of(Some(to))));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the rows of ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn some_things_are_known_in_one_place() {
    let mut wrong = Vec::new();
    for package in workspace() {
        for import in imports(&package) {
            if let Some((_, owners)) = ONLY.iter().find(|(name, _)| *name == import)
                && !owners.contains(&package.name.as_str())
            {
                wrong.push(format!("{} imports {import}, which only {} may", package.name, owners.join(" and ")));
            }
            if ROWS[0].1.contains(&package.name.as_str()) && IMPURE.contains(&import) {
                wrong.push(format!("{} is pure and imports {import}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_has_a_row_and_a_place_on_the_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    for package in workspace() {
        let name = package.name.as_str();
        assert!(row(name).is_some() || ["studio", "tests"].contains(&name), "{name} has no row in tests/tidy.rs");
        let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
        let folder = folder.strip_prefix(folder.ancestors().find(|a| a.join("Cargo.lock").exists()).expect("root"));
        let folder = folder.expect("members lie in the workspace").to_string();
        assert!(map.contains(&format!("`{folder}`")), "ARCHITECTURE.md doesn't name `{folder}`");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut documents = Vec::new();
    for folder in [".", "docs", "docs/guide", "docs/reference", "docs/design", "docs/decisions"] {
        let entries = fs::read_dir(root.join(folder)).expect("the folder is there");
        let paths = entries.map(|entry| entry.expect("readable").path());
        documents.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    let mut dead = BTreeMap::new();
    for document in &documents {
        let text = fs::read_to_string(document).expect("a document is text");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let outside = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !outside && !document.with_file_name(target).exists() {
                dead.insert(document.display().to_string(), link.to_owned());
            }
        }
    }
    assert!(documents.len() > 5 && dead.is_empty(), "dead links: {dead:#?}");
}
