//! One file from a server that does not always do what it should.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use petal::data::download::Download;
use petal::{ErrorKind, Result, files};

use crate::support::{Answer, Server, some_bytes};

/// The server as a store of data sets.
impl Server {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/storage", self.port)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("raw/photos.tgz")
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join("raw/photos.tgz.part")
    }

    fn download(&self) -> Result<()> {
        self.download_from(&self.url())
    }

    fn download_from(&self, url: &str) -> Result<()> {
        let sha256 = files::sha256(&some_bytes());
        let wanted = Download { url, sha256: &sha256, token: None, by_hand: "or fetch it by hand".into() };
        let mut last = 0;
        let result = wanted.to(&self.path(), &mut |done, total| {
            assert!(total == 0 || done <= total);
            last = done;
        });
        // What has its name is whole, and only that.
        match &result {
            Ok(()) => assert_eq!(fs::read(self.path()).unwrap(), some_bytes()),
            Err(_) => assert!(!self.path().exists()),
        }
        assert!(result.is_err() || last == 0 || last == some_bytes().len() as u64);
        result
    }
}

#[test]
fn a_file_comes_whole_and_is_asked_for_once() {
    let server = Server::new(&some_bytes(), []);
    server.download().unwrap();
    server.download().unwrap();
    assert_eq!(server.log().len(), 1);
    assert!(!server.part().exists());
}

#[test]
fn a_cut_download_goes_on_where_it_ended() {
    let server = Server::new(&some_bytes(), [Answer::Cut(240_000), Answer::Cut(60_000)]);
    server.download().unwrap();
    let log = server.log();
    assert_eq!(log.len(), 3);
    assert!(log[1].contains("range=bytes=240000-") && log[2].contains("range=bytes=300000-"), "{log:?}");
}

#[test]
fn a_killed_download_is_gone_on_with_by_the_next_run() {
    for (left, requests) in [(100_000, 1), (400_000, 0)] {
        let server = Server::new(&some_bytes(), []);
        files::write_bytes(&server.part(), &some_bytes()[..left]).unwrap();
        server.download().unwrap();
        assert_eq!(server.log().len(), requests);
        assert!(server.log().iter().all(|line| line.contains("range=bytes=100000-")));
    }
}

#[test]
fn a_server_that_ignores_the_range_is_not_appended() {
    let server = Server::new(&some_bytes(), [Answer::Cut(1000), Answer::Whole]);
    server.download().unwrap();
    assert_eq!(server.log().len(), 2);
}

#[test]
fn more_than_there_is_and_other_bytes_are_thrown_away() {
    // The first is answered with 416; the second fits by its length alone.
    for left in [[some_bytes(), vec![0]].concat(), vec![7; 1000]] {
        let server = Server::new(&some_bytes(), []);
        files::write_bytes(&server.part(), &left).unwrap();
        server.download().unwrap();
        assert_eq!(server.log().len(), 2);
    }
}

#[test]
fn a_short_body_of_unknown_length_does_not_pass_as_whole() {
    let server = Server::new(&some_bytes(), [Answer::Unmeasured(1000)]);
    server.download().unwrap();
    assert_eq!(server.log().len(), 2);
    let server = Server::new(&some_bytes(), (0..9).map(|_| Answer::Unmeasured(1000)));
    assert_eq!(server.download().unwrap_err().kind(), ErrorKind::Checksum);
    assert!(!server.part().exists());
}

#[test]
fn wrong_content_is_tried_once_more_and_never_kept() {
    let mut wrong = some_bytes();
    wrong[5] ^= 1;
    let server = Server::new(&some_bytes(), [Answer::Bytes(wrong.clone()), Answer::Bytes(wrong.clone())]);
    let error = server.download().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checksum);
    for word in [&files::sha256(&some_bytes()), &files::sha256(&wrong), &server.url(), "by hand"] {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert_eq!(server.log().len(), 2);
    assert!(!server.part().exists());
    // The server is mended.
    server.download().unwrap();
}

#[test]
fn a_page_in_place_of_the_file_is_recognised() {
    let page = || Answer::Bytes(b"\n<!DOCTYPE html><title>Sign in to the network</title>".to_vec());
    let server = Server::new(&some_bytes(), [page(), page()]);
    let error = server.download().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Checksum);
    assert!(error.what().contains("looks like HTML"), "{error}");
}

#[test]
fn a_busy_server_is_asked_again_but_not_for_ever() {
    let busy = ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"];
    let server = Server::new(&some_bytes(), busy.map(Answer::Status));
    server.download().unwrap();
    assert_eq!(server.log().len(), 4);

    let server = Server::new(&some_bytes(), (0..9).map(|_| Answer::Status(busy[1])));
    let error = server.download().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.what().contains("503") && error.to_string().contains("by hand"), "{error}");
    assert_eq!(server.log().len(), 5);
}

#[test]
fn a_missing_file_is_asked_for_once() {
    let server = Server::new(&some_bytes(), [Answer::Status("404 Not Found")]);
    let error = server.download().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.what().contains("404"), "{error}");
    assert_eq!(server.log().len(), 1);
}

#[test]
fn redirects_are_followed_with_the_range_and_not_in_circles() {
    let server = Server::new(&some_bytes(), [Answer::Cut(5000)]);
    let elsewhere = format!("http://127.0.0.1:{}/photos.tgz", server.port);
    server.download_from(&elsewhere).unwrap();
    assert!(server.content_requests()[1].contains("range=bytes=5000-"));

    let server = Server::new(&some_bytes(), []);
    let circle = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{}/round\r\ncontent-length: 0", server.port);
    server.state.lock().unwrap().head = Some(circle);
    let error = server.download_from(&format!("http://127.0.0.1:{}/photos.tgz", server.port)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(server.log().len() < 60, "{} requests", server.log().len());
}

#[test]
fn an_unreachable_server_says_how_to_do_without() {
    let server = Server::new(&some_bytes(), []);
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = server.download_from(&format!("http://127.0.0.1:{port}/photos.tgz")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("by hand"), "{error}");
}

#[test]
fn a_second_download_of_the_same_file_waits_for_no_one() {
    let server = Server::new(&some_bytes(), []);
    let _other = files::Lock::take(&server.folder.path().join("raw/photos.tgz.lock")).unwrap();
    assert_eq!(server.download().unwrap_err().kind(), ErrorKind::Locked);
    assert!(server.log().is_empty());
}

#[test]
fn offline_says_what_to_fetch_and_where_to_put_it() {
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
        let mend = object["mend"].as_str().unwrap();
        for word in ["228813984 bytes", "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c", "--archive"]
        {
            assert!(mend.contains(word), "{word}: {mend}");
        }
        assert!(files::sorted_dir(folder.path()).unwrap().is_empty());
    }
}
