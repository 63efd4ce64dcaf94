//! What commands write: harmless in a spreadsheet, where the path leads, and over nothing but their own.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use petal::data::manifest;
use petal::files::cells;

use super::{petal, photos, refused, well};
use crate::data::{picture, tree, write_picture};

const LITE0: [&str; 4] = ["--backbone", "efficientnet-lite0", "--weights", "embedded"];

/// A model of photos in `p`, in `models/best_model.safetensors`.
fn trained(root: &Path) {
    photos(&root.join("p"), 5, 0);
    let train = ["train", "--photos", "p", "--epochs-head", "1", "--epochs-tune", "0"];
    well(root, &[&train[..], &LITE0].concat());
}

const MODEL: &str = "models/best_model.safetensors";
/// Names that spreadsheets take for formulas.
const FORMULAS: [&str; 6] = ["=cmd|' C calc'!A0", "@SUM(1+1)", "+x", "-rose", "'=x", "\t=x"];

#[test]
fn f61_no_cell_of_a_table_is_a_formula_and_petal_reads_the_names_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut number = 0;
    for class in FORMULAS {
        for name in FORMULAS {
            number += 1;
            write_picture(&root.join("p").join(class).join(format!("{name}.jpg")), &picture(number));
        }
    }
    let train = ["train", "--photos", "p", "--epochs-head", "1", "--epochs-tune", "0"];
    well(root, &[&train[..], &LITE0].concat());
    let said = well(root, &["predict", "--model", MODEL, "p", "--csv", "p.csv"]);
    assert!(said.contains(cells::NOTE), "{said}");
    well(
        &root.join("p"),
        &["predict", "--model", "../models/best_model.safetensors", "@SUM(1+1)", "--csv", "../q.csv"],
    );
    well(root, &["evaluate", "--model", MODEL, "--csv", "e.csv"]);
    let is_table = |(name, _): &&(String, Vec<u8>)| name.ends_with(".csv");
    let tables = tree(root);
    let tables: Vec<_> = tables.iter().filter(is_table).collect();
    assert!(tables.len() >= 5, "{:?}", tables.iter().map(|(name, _)| name).collect::<Vec<_>>());
    let mut seen = 0;
    for (name, bytes) in tables {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
        for record in reader.records() {
            for cell in record.unwrap().iter() {
                let is_number = cell.parse::<f64>().is_ok();
                assert!(is_number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{name}: {cell:?}");
                seen += usize::from(cell.starts_with('\''));
            }
        }
    }
    assert!(seen > 30, "{seen} cells were made harmless");
    let rows = manifest::read(&root.join("data/manifest.csv")).unwrap();
    assert_eq!(rows.len(), 36);
    assert!(rows.iter().all(|row| FORMULAS.contains(&row.class.as_str()) && root.join("p").join(&row.photo).is_file()));
    // Found again as it is.
    well(root, &["split-dataset", "--photos", "p"]);
}

#[test]
fn f56_nothing_but_an_earlier_output_is_overwritten_by_any_way() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    trained(root);
    fs::write(root.join("labels.csv"), "path,label\n").unwrap();
    fs::hard_link(root.join("p/cat/000.jpg"), root.join("hard.csv")).unwrap();
    let mut targets =
        vec!["p/cat/000.jpg", MODEL, "labels.csv", "data/manifest.csv", "data/train/cat/000.jpg", "hard.csv", "p/cat"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("p/cat/001.jpg", root.join("soft.csv")).unwrap();
        targets.push("soft.csv");
    }
    // The split's own photos have places of their own.
    let in_train = tree(&root.join("data/train")).remove(0).0;
    let in_train = format!("data/train/{in_train}");
    targets.retain(|target| *target != "data/train/cat/000.jpg");
    targets.push(&in_train);
    let before = tree(root);
    for target in targets {
        refused(root, &["predict", "--model", MODEL, "p", "--csv", target], &[]);
        refused(root, &["evaluate", "--model", MODEL, "--csv", target], &[]);
        refused(root, &[&["embed", "p", "--out", target][..], &LITE0].concat(), &[]);
    }
    assert!(tree(root) == before);
    // Outputs take the place of earlier ones of their kind, and of none of another.
    for _ in 0..2 {
        well(root, &["predict", "--model", MODEL, "p", "--csv", "p.csv"]);
        well(root, &["evaluate", "--model", MODEL, "--csv", "p.csv"]);
        well(root, &[&["embed", "p", "--out", "f.safetensors"][..], &LITE0].concat());
        well(root, &["explain", "--model", MODEL, "p/cat/000.jpg", "--out", "cams"]);
    }
    refused(root, &[&["embed", "p", "--out", "p.csv"][..], &LITE0].concat(), &["not a file of features"]);
    refused(root, &["predict", "--model", MODEL, "p", "--csv", "f.safetensors"], &["not a table of predictions"]);
    // A picture of somebody's own that has the name of a figure.
    let figure = tree(&root.join("cams")).remove(0).0;
    fs::copy(root.join("p/cat/000.jpg"), root.join("cams").join(&figure)).unwrap();
    refused(root, &["explain", "--model", MODEL, "p/cat/000.jpg", "--out", "cams"], &["not a figure"]);
}

#[cfg(unix)]
#[test]
fn f61_pipes_devices_links_and_the_standard_output_are_written_to() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    trained(root);
    let predict = |csv: &str| petal(root, &["predict", "--model", MODEL, "p/cat/000.jpg", "--csv", csv]);
    assert!(predict("plain.csv").status.success());
    let table = fs::read(root.join("plain.csv")).unwrap();
    assert!(table.starts_with(b"path,target,predicted,cat,dog,unknown,one of,distance,energy\np/cat/000.jpg,,"));

    assert!(std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap().success());
    let pipe = root.join("pipe");
    let reader = std::thread::spawn(move || fs::read(pipe).unwrap());
    assert!(predict("pipe").status.success());
    assert_eq!(reader.join().unwrap(), table);
    assert!(root.join("pipe").symlink_metadata().unwrap().file_type().is_fifo());

    symlink("real.csv", root.join("link.csv")).unwrap();
    assert!(predict("link.csv").status.success());
    assert!(root.join("link.csv").symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read(root.join("real.csv")).unwrap(), table);
    assert!(predict("/dev/null").status.success());

    for name in ["-", "/dev/stdout"] {
        let output = predict(name);
        assert_eq!(output.stdout, table, "{name}: the table alone, byte for byte");
        assert!(String::from_utf8_lossy(&output.stderr).contains("p/cat/000.jpg"), "the rest is said on stderr");
    }
    // A file that a shell has opened keeps what was in it.
    let log = root.join("log");
    fs::write(&log, "before\n").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_petal"));
    let open = fs::File::options().append(true).open(&log).unwrap();
    command.current_dir(root).args(["predict", "--model", MODEL, "p/cat/000.jpg", "--csv", "/dev/stdout"]);
    assert!(command.stdout(open).stderr(Stdio::null()).status().unwrap().success());
    assert_eq!(fs::read(&log).unwrap(), [b"before\n", &table[..]].concat());
    let features = petal(root, &[&["embed", "p", "--out", "-"][..], &LITE0].concat());
    assert!(safetensors::SafeTensors::deserialize(&features.stdout).is_ok());
}
