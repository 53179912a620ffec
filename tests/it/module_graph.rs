//! The modules of each crate depend on each other without cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::visit::Visit;

/// The crates' sources, from the root of the project.
const CRATES: [&str; 6] = [
    "src",
    "aws-lite/src",
    "bench/src",
    "bench/timing/src",
    "relayctl/src",
    "tests/scanning-allocator/src",
];

/// The segments of a module's path in its crate.
type ModulePath = Vec<String>;

/// Edges from modules to the modules that they depend on, by the parent of both. What a module contains belongs to it.
type Edges = BTreeMap<ModulePath, BTreeSet<(String, String)>>;

/// Collects the paths that a file uses, as segments.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        fn collect(tree: &syn::UseTree, prefix: &[String], paths: &mut Vec<Vec<String>>) {
            let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
            match tree {
                syn::UseTree::Path(path) => collect(&path.tree, &with(&path.ident), paths),
                syn::UseTree::Name(name) => paths.push(with(&name.ident)),
                syn::UseTree::Rename(rename) => paths.push(with(&rename.ident)),
                syn::UseTree::Glob(_) => paths.push(prefix.to_vec()),
                syn::UseTree::Group(group) => {
                    group.items.iter().for_each(|tree| collect(tree, prefix, paths));
                }
            }
        }
        collect(&item.tree, &[], &mut self.0);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        self.0.push(segments.map(|it| it.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }
}

/// The modules of a crate with their text, without tests.
fn modules(source: &Path) -> BTreeMap<ModulePath, String> {
    let mut modules = BTreeMap::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if path.is_dir() {
                folders.push(path);
            } else if !["main", "lib", "tests"].contains(&name) {
                let module = path.strip_prefix(source).unwrap().with_extension("");
                let segments = module.iter().map(|it| it.to_str().unwrap().to_owned());
                modules.insert(segments.collect(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    modules
}

fn edges(modules: &BTreeMap<ModulePath, String>) -> Edges {
    let mut edges = Edges::new();
    for (module, text) in modules {
        let mut paths = Paths::default();
        paths.visit_file(&syn::parse_file(text).unwrap());
        for path in paths.0 {
            let target = absolute(module, path);
            let common = module.iter().zip(&target).take_while(|(a, b)| a == b).count();
            let (parent, rest) = module.split_at(common);
            if let (Some(from), Some(to)) = (rest.first(), target.get(common))
                && modules.contains_key(&target[..=common])
            {
                let edge = (from.clone(), to.clone());
                edges.entry(parent.to_vec()).or_default().insert(edge);
            }
        }
    }
    edges
}

/// A path from the root of the crate; empty if it leads elsewhere.
fn absolute(module: &[String], path: Vec<String>) -> ModulePath {
    let supers = path.iter().take_while(|segment| *segment == "super").count();
    match path.first().map(String::as_str) {
        Some("crate") => path[1..].to_vec(),
        Some("super") => [&module[..module.len() - supers], &path[supers..]].concat(),
        Some("self") => [module, &path[1..]].concat(),
        _ => [module, &path].concat(),
    }
}

/// The edges that remain when modules without dependencies are removed, again and again.
fn cycle(mut edges: BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    loop {
        let dependents: BTreeSet<_> = edges.iter().map(|(from, _)| from.clone()).collect();
        let before = edges.len();
        edges.retain(|(_, to)| dependents.contains(to));
        if edges.len() == before {
            return edges;
        }
    }
}

#[test]
fn no_crate_has_a_cycle_of_modules() {
    for source in CRATES {
        let modules = modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join(source));
        for (parent, edges) in edges(&modules) {
            let cycle = cycle(edges);
            assert!(cycle.is_empty(), "{source}, {parent:?}: {cycle:?}");
        }
    }
}

#[test]
fn finds_a_cycle_of_modules() {
    let module = |path: &str, text: &str| {
        let path = path.split("::").map(str::to_owned).collect();
        (path, text.to_owned())
    };
    let modules = BTreeMap::from([
        module("a", "use crate::b::{self, B};"),
        module("b", "fn f() { crate::c::d::g() }"),
        module("c", "mod d; pub use d::D;"),
        module("c::d", "use super::super::a::A; use crate::e; use super::C;"),
        module("e", "use std::a;"),
    ]);
    let edges = edges(&modules);
    let pairs = |pairs: &[(&str, &str)]| -> BTreeSet<(String, String)> {
        let owned = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        owned.collect()
    };
    let expected = pairs(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "e")]);
    assert_eq!(edges, Edges::from([(Vec::new(), expected)]));
    let cycle = cycle(edges[&Vec::new()].clone());
    assert_eq!(cycle, pairs(&[("a", "b"), ("b", "c"), ("c", "a")]));
}
