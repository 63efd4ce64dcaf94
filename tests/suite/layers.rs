//! The invariants of ARCHITECTURE.md, read off the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and their layers: a file may use only layers below its own, and its own room.
const LAYERS: [(&str, u32); 14] = [
    ("base", 0),
    ("net", 1),
    ("kernels", 1),
    ("pixels", 1),
    ("data", 2),
    ("nn", 2),
    ("models", 3),
    ("export", 4),
    ("eval", 4),
    ("train", 5),
    ("explain", 5),
    ("report", 6),
    ("learner", 7),
    ("recipe", 8),
];

#[test]
fn a_file_uses_only_layers_below_its_own() {
    let mut uses = 0;
    for source in sources() {
        let Some(own) = source.module() else { continue };
        let layer = layer_of(own).unwrap_or_else(|| panic!("{own} is in no layer"));
        for used in source.used_modules() {
            let below = layer_of(&used).unwrap_or_else(|| panic!("{} uses {used}, which is in no layer", source.name));
            assert!(used == own || below < layer, "{} ({layer}) uses {used} ({below})", source.name);
            uses += 1;
        }
    }
    assert!(uses > 50, "the scan found only {uses} uses: has the style of imports changed?");
}

#[test]
fn pixels_and_kernels_know_neither_candle_nor_paths() {
    for source in sources() {
        let module = source.module();
        if module == Some("kernels") || module == Some("pixels") {
            source.must_not_contain(&["candle_", "std::path", "std::fs"]);
        }
    }
}

#[test]
fn only_the_two_doors_touch_the_network() {
    for source in sources() {
        let doors =
            ["net/client.rs", "net/download.rs", "models/hub.rs", "models/hub/push.rs", "models/hub/request.rs"];
        if !doors.contains(&source.name.as_str()) {
            source.must_not_contain(&["ureq", "hf_hub", "TcpStream"]);
        }
    }
}

#[test]
fn only_report_knows_plotters_and_polars_and_prints() {
    for source in sources() {
        if source.module() != Some("report") {
            source.must_not_contain(&["plotters", "polars"]);
        }
        if source.module().is_some_and(|module| layer_of(module) < Some(6)) {
            source.must_not_contain(&["println!", "print!", "dbg!"]);
        }
    }
}

#[test]
fn there_is_no_hidden_state() {
    for source in sources() {
        for line in source.code().lines() {
            let line = line.trim_start();
            let is_static = ["static ", "pub static ", "pub(crate) static "].iter().any(|s| line.starts_with(s));
            // The mark of the project is an address, not a state.
            assert!(!is_static || line == "static MARK: u8 = 0;", "{}: {line}", source.name);
        }
        source.must_not_contain(&["thread_local!", "global_allocator", "lazy_static", "OnceLock<"]);
    }
}

#[test]
fn unsafe_code_is_in_kernels_only_and_says_why() {
    let mut blocks = 0;
    for source in sources() {
        if source.module() != Some("kernels") {
            source.must_not_contain(&["unsafe {", "unsafe fn", "unsafe impl"]);
            continue;
        }
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            if line.contains("unsafe {") && !line.trim_start().starts_with("//") {
                let above = &lines[number.saturating_sub(8)..=number];
                assert!(
                    above.iter().any(|l| l.contains("SAFETY")),
                    "{}:{} has no SAFETY comment",
                    source.name,
                    number + 1
                );
                blocks += 1;
            }
        }
    }
    assert!(blocks > 0, "the scan found no unsafe block at all");
}

#[test]
fn every_random_number_has_a_seed() {
    for source in sources() {
        if source.name != "base/seed.rs" {
            source.must_not_contain(&[
                "rand::",
                "rand_chacha",
                "Tensor::rand",
                "Tensor::randn",
                "Var::rand",
                "Var::randn",
            ]);
        }
    }
}

#[test]
fn no_clock_reaches_a_result() {
    for source in sources() {
        // What is shown, and a run's record of itself, may say when; which files the cache gives up first decides no more than what is computed
        // again. Durations come from `Instant`, which no change of the clock disturbs.
        let allowed = ["train/cache/file.rs", "train/cache/folder.rs"];
        if source.module() != Some("report") && !allowed.contains(&source.name.as_str()) {
            source.must_not_contain(&["SystemTime", "UNIX_EPOCH", "chrono"]);
        }
    }
}

#[test]
fn no_hash_order_reaches_a_result() {
    for source in sources() {
        // safetensors' own types for metadata; one key each.
        let allowed = ["nn/codec.rs"];
        if !allowed.contains(&source.name.as_str()) {
            source.must_not_contain(&["HashMap", "HashSet"]);
        }
        if !source.name.starts_with("base/files/") {
            source.must_not_contain(&["fs::read_dir", "File::create(", "fs::write("]);
        }
    }
}

#[test]
fn a_release_compiles_lightly_what_tests_do() {
    let manifest = include_str!("../../Cargo.toml");
    let between = |begin: &str, end: &str| {
        let lines = manifest.split_once(begin).unwrap().1.split_once(end).unwrap().0.trim().lines();
        lines.skip(1).map(String::from).collect::<Vec<_>>()
    };
    let tests = between("# begin cold\n", "# end cold\n");
    assert!(tests.len() > 20, "{tests:?}");
    assert_eq!(tests, between("# begin cold in a release\n", "# end cold in a release\n"));
}

struct Source {
    /// Path below `src/`, with `/`.
    name: String,
    text: String,
}

impl Source {
    /// The top module that the file belongs to; none for lib.rs, which sees everything.
    fn module(&self) -> Option<&str> {
        let top = self.name.split('/').next()?;
        let top = top.strip_suffix(".rs").unwrap_or(top);
        (top != "lib").then_some(top)
    }

    /// The text without comments and without the tests at the file's foot.
    fn code(&self) -> String {
        let body = self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    /// What follows `crate::` anywhere, `use` lines and paths alike.
    fn used_modules(&self) -> Vec<String> {
        let code = self.code();
        let mut found = Vec::new();
        for rest in code.split("crate::").skip(1) {
            if let Some(group) = rest.strip_prefix('{') {
                let group = group.split('}').next().unwrap_or_default();
                found.extend(
                    group.split(',').map(|item| item.trim().split("::").next().unwrap_or_default().to_string()),
                );
            } else {
                found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
        found.retain(|name: &String| !name.is_empty());
        found
    }

    fn must_not_contain(&self, words: &[&str]) {
        let code = self.code();
        for word in words {
            assert!(!code.contains(word), "{} contains {word}", self.name);
        }
    }
}

fn layer_of(module: &str) -> Option<u32> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let source = |path: &PathBuf| Source {
        name: path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"),
        text: fs::read_to_string(path).unwrap(),
    };
    paths.iter().map(source).collect()
}
