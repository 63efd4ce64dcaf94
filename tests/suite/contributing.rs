//! What CONTRIBUTING.md says of additions is true: the files that it names exist, and no other file knows a method, a recipe, a step or a
//! family by its name.

use std::fs;
use std::path::{Path, PathBuf};

/// One kind of addition, as CONTRIBUTING.md describes it.
struct Addition {
    /// Its heading.
    heading: &'static str,
    /// The folder that has a file for each.
    folder: &'static str,
    /// Files of the folder that are none of them: what they share.
    shared: &'static [&'static str],
}

const ADDITIONS: [Addition; 4] = [
    Addition { heading: "Add a backbone", folder: "src/models/families", shared: &["mod.rs"] },
    Addition { heading: "Add a recipe", folder: "src/train/recipes", shared: &["mod.rs", "recipe.rs"] },
    Addition { heading: "Add a CAM method", folder: "src/explain/methods", shared: &["mod.rs", "method.rs"] },
    Addition { heading: "Add a step", folder: "src/nn/steps", shared: &["mod.rs", "step.rs"] },
];

#[test]
fn every_file_that_a_page_names_is_there() {
    let mut named = 0;
    for addition in &ADDITIONS {
        for path in paths_in(&page(addition.heading)) {
            // What is to be written has a place.
            let path = path.replace("/NAME.rs", "");
            assert!(root().join(&path).exists(), "{}: {path} is not there", addition.heading);
            named += 1;
        }
    }
    assert!(named > 20, "the scan found only {named} paths: has the style of the pages changed?");
}

#[test]
fn a_page_names_the_folder_and_the_list_and_is_a_page_at_most() {
    for Addition { heading, folder, .. } in &ADDITIONS {
        let page = page(heading);
        for path in [format!("{folder}/NAME.rs"), format!("{folder}/mod.rs")] {
            assert!(page.contains(&format!("`{path}`")), "{heading} does not name {path}");
        }
        assert!(page.lines().count() <= 30, "{heading} is longer than a page");
    }
}

#[test]
fn every_addition_stands_in_its_list() {
    for addition in &ADDITIONS {
        let list = fs::read_to_string(root().join(addition.folder).join("mod.rs")).unwrap();
        let stems = addition.files();
        assert!(stems.len() > 1, "{} has only {stems:?}", addition.folder);
        for stem in stems {
            assert!(
                list.lines().any(|line| line.contains(&format!("mod {stem};")) || line.trim() == format!("{stem},")),
                "{}/{stem}.rs is not in the list of mod.rs",
                addition.folder
            );
        }
    }
}

/// The names of CAM methods, in settings and in sentences: their own file has them, and the frame takes the usual one.
#[test]
fn only_its_own_file_knows_a_cam_method() {
    for method in petal::explain::methods::ALL.iter().skip(1) {
        let quoted = [method.name(), method.title()].map(|name| format!("\"{name}\""));
        let own = |path: &Path| path.starts_with(root().join("src/explain/methods"));
        for path in sources(&root().join("src")).into_iter().chain(sources(&root().join("scripts"))) {
            let code = code(&path);
            assert!(
                own(&path) || quoted.iter().all(|name| !code.contains(name)),
                "{} in {}",
                quoted[0],
                path.display()
            );
        }
    }
}

impl Addition {
    /// The stems of the files that are additions.
    fn files(&self) -> Vec<String> {
        let paths = sources(&root().join(self.folder)).into_iter();
        let names = paths.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
        names.filter(|name| !self.shared.contains(&name.as_str())).map(|name| name.replace(".rs", "")).collect()
    }
}

/// The section below a heading.
fn page(heading: &str) -> String {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let (_, rest) = text.split_once(&format!("## {heading}\n")).unwrap_or_else(|| panic!("no page {heading:?}"));
    rest.split("\n## ").next().unwrap_or_default().into()
}

/// Paths between backticks.
fn paths_in(page: &str) -> Vec<String> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.starts_with("src/") || word.starts_with("tests/")).map(String::from).collect()
}

/// The code of a file: no comments, no tests at its foot.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let body = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
