//! F03–F11: servers that do not always do what they should, for the archive of a data set and for the hub's weights.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::process::Stdio;
use std::time::{Duration, Instant};

use petal::net::download::Download;
use petal::project::Machine;
use petal::{ErrorKind, Unheard, Work, files};

use crate::data::tree;
use crate::support::server::{Answer, Door, Server};
use crate::support::{again, some_bytes, wait_for};

const BUSY: &str = "503 Service Unavailable";

#[test]
fn f03_a_cut_download_goes_on_where_it_ended() {
    for door in Door::BOTH {
        // In one call, where the server is soon back …
        let server = Server::new(&some_bytes(), [Answer::Cut(240_000), Answer::Cut(60_000)]);
        assert_eq!(door.fetch(&server).unwrap(), some_bytes());
        let requests = server.content_requests();
        assert_eq!(requests.len(), 3);
        assert!(
            requests[1].contains("range=bytes=240000-") && requests[2].contains("range=bytes=300000-"),
            "{requests:?}"
        );

        // … and in the next one, where it is not.
        let gone = (0..4).map(|_| Answer::Busy(BUSY, 0));
        let server = Server::new(&some_bytes(), [Answer::Cut(240_000)].into_iter().chain(gone));
        assert_eq!(door.fetch(&server).unwrap_err().kind(), ErrorKind::Network);
        assert_eq!(fs::read(door.beside(&server, "part")).unwrap(), some_bytes()[..240_000]);
        assert_eq!(door.fetch(&server).unwrap(), some_bytes());
        let requests = server.content_requests();
        assert!(requests.len() == 6 && requests[5].contains("range=bytes=240000-"), "{requests:?}");
        assert!(!door.beside(&server, "part").exists());
    }
}

#[test]
fn f76_a_download_that_is_stopped_goes_on_where_it_ended() {
    let server = Server::new(&some_bytes(), []);
    let url = format!("http://127.0.0.1:{}/storage", server.port);
    let sha256 = files::sha256(&some_bytes());
    let wanted = Download { url: &url, sha256: &sha256, bytes: None, token: None, by_hand: String::new() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photos.tgz");
    let mut stop = |work: &Work| if work.done > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let error = wanted.to(&path, &mut stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    let so_far = fs::metadata(folder.path().join("photos.tgz.part")).unwrap().len();
    assert!(!path.exists() && so_far > 0);
    assert_eq!(server.content_requests().len(), 1, "a stop is not tried again");
    wanted.to(&path, &mut Unheard).unwrap();
    assert_eq!(fs::read(&path).unwrap(), some_bytes());
}

#[test]
fn f04_a_server_that_ignores_the_range_is_not_appended() {
    for door in Door::BOTH {
        let server = Server::new(&some_bytes(), [Answer::Cut(1000), Answer::Whole]);
        assert_eq!(door.fetch(&server).unwrap(), some_bytes());
        assert_eq!(server.content_requests().len(), 2);
    }
}

#[test]
fn f05_what_an_earlier_try_left_can_be_anything() {
    // Longer than the file, which is answered with 416; other bytes; and all of it, only without its name.
    let wrong = [[some_bytes(), vec![0]].concat(), vec![7; 1000]].map(|left| (left, 2));
    for (left, requests) in wrong.into_iter().chain([(some_bytes(), 0)]) {
        for door in Door::BOTH {
            let server = Server::new(&some_bytes(), []);
            files::write_bytes(&door.beside(&server, "part"), &left).unwrap();
            assert_eq!(door.fetch(&server).unwrap(), some_bytes());
            assert_eq!(server.content_requests().len(), requests, "{door:?}, {} bytes", left.len());
            assert!(!door.beside(&server, "part").exists() && !door.beside(&server, "bad").exists());
        }
    }
}

#[test]
fn f06_other_bytes_are_tried_once_more_and_never_used() {
    let mut wrong = some_bytes();
    wrong[5] ^= 1;
    for door in Door::BOTH {
        let server = Server::new(&some_bytes(), [Answer::Bytes(wrong.clone()), Answer::Bytes(wrong.clone())]);
        let error = door.fetch(&server).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checksum);
        for word in [files::sha256(&some_bytes()), files::sha256(&wrong), format!("http://127.0.0.1:{}/", server.port)]
        {
            assert!(error.to_string().contains(&word), "{word}: {error}");
        }
        assert_eq!(server.content_requests().len(), 2);
        // They are kept to look at, under a name that says what they are.
        assert_eq!(error.path(), Some(door.beside(&server, "bad").as_path()));
        assert_eq!(fs::read(door.beside(&server, "bad")).unwrap(), wrong);
        assert!(!door.beside(&server, "part").exists());
        // The server is mended.
        assert_eq!(door.fetch(&server).unwrap(), some_bytes());
        assert!(!door.beside(&server, "bad").exists());
    }
}

#[test]
fn f06_a_short_or_endless_body_does_not_pass_as_whole() {
    for door in Door::BOTH {
        let server = Server::new(&some_bytes(), [Answer::Unmeasured(1000)]);
        assert_eq!(door.fetch(&server).unwrap(), some_bytes());
        assert_eq!(server.content_requests().len(), 2);
        let server = Server::new(&some_bytes(), (0..9).map(|_| Answer::Unmeasured(1000)));
        assert_eq!(door.fetch(&server).unwrap_err().kind(), ErrorKind::Checksum);

        // Ten times as much as there should be: no more is taken than shows that it is too much.
        let much = vec![7; 10 * some_bytes().len()];
        let server = Server::new(&some_bytes(), [Answer::Bytes(much.clone()), Answer::Bytes(much)]);
        assert_eq!(door.fetch(&server).unwrap_err().kind(), ErrorKind::Checksum);
        let taken = fs::metadata(door.beside(&server, "bad")).unwrap().len();
        assert_eq!(taken, some_bytes().len() as u64 + 1, "{door:?}");
    }
}

#[test]
fn f06_a_file_that_has_no_room_is_not_begun() {
    let server = Server::new(&some_bytes(), []);
    let path = server.folder.path().join("photos.tgz");
    if Machine::look(server.folder.path()).disk_free == 0 {
        std::io::stderr().write_all(b"skipped: room for downloads (the system does not say what is free)\n").unwrap();
        return;
    }
    let (url, sha256) = (format!("http://127.0.0.1:{}/storage", server.port), files::sha256(&some_bytes()));
    let wanted = |bytes| Download { url: &url, sha256: &sha256, bytes, token: None, by_hand: String::new() };
    let error = wanted(Some(1 << 60)).to(&path, &mut Unheard).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::DiskFull, Some(path.as_path())));
    assert!(error.what().contains(&format!("needs {} bytes", 1u64 << 60)), "{error}");
    assert!(server.log().is_empty() && tree(server.folder.path()).is_empty());
    wanted(Some(some_bytes().len() as u64)).to(&path, &mut Unheard).unwrap();
}

#[test]
fn f07_a_busy_server_is_asked_again_as_it_says_but_not_for_ever() {
    for door in Door::BOTH {
        let busy = ["500 Internal Server Error", BUSY, "429 Too Many Requests"];
        let server = Server::new(&some_bytes(), busy.map(|status| Answer::Busy(status, 0)));
        assert_eq!(door.fetch(&server).unwrap(), some_bytes());
        assert_eq!(server.content_requests().len(), 4);

        let server = Server::new(&some_bytes(), (0..9).map(|_| Answer::Busy(BUSY, 0)));
        let error = door.fetch(&server).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(error.what().contains("503") && error.what().contains("http://127.0.0.1:"), "{error}");
        assert!(error.how_to_mend().is_some(), "{error}");
        assert_eq!(server.content_requests().len(), 5);
    }
    // Longer than the first pause would be by itself.
    let server = Server::new(&some_bytes(), [Answer::Busy(BUSY, 1)]);
    let started = Instant::now();
    Door::Store.fetch(&server).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn f08_missing_and_forbidden_files_are_told_apart_and_not_asked_for_again() {
    for (status, hint) in
        [("404 Not Found", "no such file or revision"), ("401 Unauthorized", ""), ("403 Forbidden", "")]
    {
        let server = Server::new(&some_bytes(), [Answer::Busy(status, 0)]);
        let error = Door::Store.fetch(&server).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(error.what().contains(status) && error.what().contains(hint), "{error}");
        assert_eq!(server.log().len(), 1);

        let server = Server::new(b"", []);
        server.state.lock().unwrap().head = Some(format!("HTTP/1.1 {status}\r\ncontent-length: 0"));
        let error = Door::Hub.fetch(&server).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(error.what().contains("/owner/name/resolve/main/model.safetensors"), "{error}");
        assert!(error.what().contains(hint) && error.to_string().contains("HF_TOKEN") == hint.is_empty(), "{error}");
        assert_eq!(server.log().len(), 1);
    }
}

#[test]
fn f09_a_page_in_place_of_the_file_is_recognised() {
    let page = || Answer::Bytes(b"\n<!DOCTYPE html><title>Sign in to the network</title>".to_vec());
    for door in Door::BOTH {
        let server = Server::new(&some_bytes(), [page(), page()]);
        let error = door.fetch(&server).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checksum);
        assert!(error.what().contains("looks like HTML"), "{error}");
    }
    // Where the hub itself is asked, a page has no hash to compare with.
    let server = Server::new(b"", []);
    server.state.lock().unwrap().head = Some("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 20".into());
    let error = Door::Hub.fetch(&server).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.what().contains("proxy"), "{error}");
}

/// What is refused needs addresses in the world, which a test must not ask: see the tests of `net/client`.
#[test]
fn f10_allowed_redirects_are_followed_with_the_range_and_not_in_circles() {
    let (sha256, by_hand) = (files::sha256(&some_bytes()), String::from("fetch it by hand"));
    let from = |server: &Server| {
        let url = format!("http://127.0.0.1:{}/photos.tgz", server.port);
        let wanted = Download { url: &url, sha256: &sha256, bytes: None, token: None, by_hand: by_hand.clone() };
        wanted.to(&server.folder.path().join("photos.tgz"), &mut Unheard)
    };
    let server = Server::new(&some_bytes(), [Answer::Cut(5000)]);
    from(&server).unwrap();
    assert!(server.content_requests()[1].contains("range=bytes=5000-"));

    let server = Server::new(&some_bytes(), []);
    let circle = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{}/round\r\ncontent-length: 0", server.port);
    server.state.lock().unwrap().head = Some(circle);
    assert_eq!(from(&server).unwrap_err().kind(), ErrorKind::Network);
    assert!(server.log().len() < 60, "{} requests", server.log().len());
}

const CHILD: &str = "PETAL_TEST_DOWNLOAD";

#[test]
fn f11_killed_in_the_middle_and_two_at_once() {
    if let Ok(order) = std::env::var(CHILD) {
        let (door, rest) = order.split_once(' ').unwrap();
        let (port, folder) = rest.split_once(' ').unwrap();
        let door = if door == "Hub" { Door::Hub } else { Door::Store };
        let _ = door.fetch_from(port.parse().unwrap(), folder.as_ref(), &files::sha256(&some_bytes()));
        return;
    }
    for door in Door::BOTH {
        let server = Server::new(&some_bytes(), [Answer::Hang(240_000)]);
        let order = format!("{door:?} {} {}", server.port, server.folder.path().display());
        let test = "faults::download::f11_killed_in_the_middle_and_two_at_once";
        let mut child = again(test, CHILD, order).stdout(Stdio::null()).spawn().unwrap();
        let part = door.beside(&server, "part");
        wait_for("the first part", || fs::metadata(&part).is_ok_and(|found| found.len() == 240_000));

        let error = door.fetch(&server).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert!(error.what().contains(&format!("process {}", child.id())), "{error}");
        assert_eq!(fs::metadata(&part).unwrap().len(), 240_000);

        // SIGKILL, on Unix.
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(door.fetch(&server).unwrap(), some_bytes());
        let requests = server.content_requests();
        assert!(requests.len() == 2 && requests[1].contains("range=bytes=240000-"), "{requests:?}");
        assert!(!part.exists() && !door.beside(&server, "lock").exists());
    }
}
