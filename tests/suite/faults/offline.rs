//! F01, F02 and F12: without a network, what is already here is used, but only where it is what it should be.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use petal::config::{Config, Source};
use petal::data::Dataset;
use petal::models::Hub;
use petal::{ErrorKind, files};

use crate::data::{project, tree, write_photos};
use crate::support::server::{COMMIT, Door, Server, fetch, hub};
use crate::support::some_bytes;

#[test]
fn f01_no_network_nothing_cached() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sha256 = files::sha256(&some_bytes());
    for (door, words) in [(Door::Store, "by hand"), (Door::Hub, "--weights")] {
        let folder = tempfile::tempdir().unwrap();
        let error = door.fetch_from(port, folder.path(), &sha256).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        for word in [&format!("http://127.0.0.1:{port}/"), words] {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        assert!(tree(folder.path()).is_empty(), "{door:?} left something");
    }
}

#[test]
fn f01_going_online_was_ruled_out_and_nothing_cached() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["HF_HUB_OFFLINE", "PETAL_OFFLINE"] {
        let petal = Command::new(env!("CARGO_BIN_EXE_petal"))
            .current_dir(folder.path())
            .args(["download-dataset", "--json"])
            .env(name, "1")
            .output()
            .unwrap();
        assert_eq!(petal.status.code(), Some(1));
        let object: serde_json::Value = serde_json::from_slice(&petal.stdout).unwrap();
        assert_eq!(object["kind"], "Offline");
        assert!(object["error"].as_str().unwrap().contains("https://download.tensorflow.org/"), "{object}");
        let mend = object["mend"].as_str().unwrap();
        let hash = "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c";
        for word in ["228813984 bytes", hash, "--archive", "data/raw/flower_photos.tgz"] {
            assert!(mend.contains(word), "{word}: {mend}");
        }
        assert!(files::sorted_dir(folder.path()).unwrap().is_empty());
    }

    let server = Server::new(&some_bytes(), []);
    let offline = Hub { offline: true, ..hub(format!("http://127.0.0.1:{}", server.port), server.folder.path()) };
    let error = fetch(&offline, server.folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Offline);
    let mend = error.how_to_mend().unwrap();
    for word in ["/owner/name/resolve/main/model.safetensors", "--weights", "models--owner--name"] {
        assert!(mend.contains(word), "{word}: {mend}");
    }
    assert!(server.log().is_empty() && files::sorted_dir(server.folder.path()).unwrap().is_empty());
}

#[test]
fn f02_what_is_here_is_used_without_a_request() {
    for door in Door::BOTH {
        let server = Server::new(&some_bytes(), []);
        assert_eq!(door.fetch(&server).unwrap(), some_bytes());
        let asked = server.log().len();
        assert_eq!(door.fetch(&server).unwrap(), some_bytes());
        assert_eq!(server.log().len(), asked, "{door:?}");
    }

    let server = Server::new(&some_bytes(), []);
    let (folder, hub) = (server.folder.path(), hub(format!("http://127.0.0.1:{}", server.port), server.folder.path()));
    let first = fetch(&hub, folder).unwrap();
    let again = fetch(&Hub { offline: true, ..hub }, folder).unwrap();
    assert_eq!((first.from_cache, again.from_cache), (false, true));
    // Other clients of the hub find it, too.
    let repository = folder.join("hub/models--owner--name");
    assert_eq!(fs::read_to_string(repository.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(fs::read(repository.join("snapshots").join(COMMIT).join("model.safetensors")).unwrap(), some_bytes());
    assert_eq!(first.path, repository.join("blobs").join(&first.sha256).canonicalize().unwrap());

    let folder = tempfile::tempdir().unwrap();
    write_photos(&folder.path().join("data/raw/flower_photos"), &[("roses", 1), ("tulips", 1)]);
    let mut petal = Command::new(env!("CARGO_BIN_EXE_petal"));
    petal.current_dir(folder.path()).arg("download-dataset").env("PETAL_OFFLINE", "1");
    let text = String::from_utf8(petal.output().unwrap().stdout).unwrap();
    assert!(text.starts_with("nothing was downloaded: the photos come from this machine"), "{text}");
}

#[test]
fn f12_weights_changed_in_the_cache_are_not_used() {
    let server = Server::new(&some_bytes(), []);
    let blob = Door::Hub.file(server.folder.path(), &files::sha256(&some_bytes()));
    Door::Hub.fetch(&server).unwrap();
    let mut bytes = some_bytes();
    bytes[70_000] ^= 1;
    fs::write(&blob, &bytes).unwrap();
    let error = Door::Hub.fetch(&server).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checksum);
    assert_eq!(error.path().unwrap(), blob.canonicalize().unwrap());
    assert!(error.how_to_mend().unwrap().contains("delete"), "{error}");
    // The mend works.
    fs::remove_file(error.path().unwrap()).unwrap();
    assert_eq!(Door::Hub.fetch(&server).unwrap(), some_bytes());

    // A cache that another client filled is checked by the name of its content.
    let records = server.folder.path().join("records");
    fs::remove_dir_all(&records).unwrap();
    assert_eq!(Door::Hub.fetch(&server).unwrap(), some_bytes());
    fs::remove_dir_all(&records).unwrap();
    fs::write(&blob, b"other").unwrap();
    assert_eq!(Door::Hub.fetch(&server).unwrap_err().kind(), ErrorKind::Checksum);
}

#[test]
fn f12_an_archive_that_is_not_the_published_one_is_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let archive = project.data.join("raw/flower_photos.tgz");
    files::write_bytes(&archive, b"other").unwrap();
    let error = Dataset::fetch(&project, &Config { source: Source::TfFlowers, ..Config::seed() }).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Checksum, Some(archive.as_path())));
    for word in
        ["4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c", &files::sha256(b"other"), "delete it"]
    {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert_eq!(files::sorted_dir(&project.data.join("raw")).unwrap(), [archive]);
}
