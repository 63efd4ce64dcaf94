//! `petal serve` answers as `petal predict` does, and holds what nobody should send it to clear refusals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use petal::prelude::*;
use serde_json::Value;

use crate::support::{flowers, photos, png_chunk, small_for};

/// A service, and a folder with a photo.
struct Served {
    child: Child,
    port: u16,
    model: PathBuf,
    photo: PathBuf,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Trains a head on drawn flowers, and serves it.
fn served(root: &Path, more: &[&str]) -> Served {
    let config = small_for(1, 0, 1);
    let (project, splits) = flowers(root, &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    learner.fit_head().unwrap();
    let model = learner.run().best();
    let photo = splits.test.samples[0].path.clone();
    let mut child = Command::new(env!("CARGO_BIN_EXE_petal"))
        .args(["serve", "--port", "0", "--model"])
        .arg(&model)
        .args(more)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.find(|line| line.as_ref().unwrap().contains("http://")).unwrap().unwrap();
    let port = line.split("127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    // What else it says is read, so that it never waits for its reader.
    std::thread::spawn(move || lines.for_each(drop));
    Served { child, port, model, photo }
}

impl Served {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Sends these bytes, and reads to the end; the status (0 where the connection is ended without one) and the body.
    fn send(&self, request: &[u8]) -> (u16, String) {
        let mut stream = self.connect();
        // The service may refuse before all is sent.
        let _ = stream.write_all(request);
        answer(stream)
    }

    fn post(&self, headers: &str, body: &[u8]) -> (u16, String) {
        let head = format!(
            "POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    fn form(&self, parts: &[(&str, &[u8])]) -> (u16, String) {
        let mut body = Vec::new();
        for (name, content) in parts {
            let head = format!("--b\r\ncontent-disposition: form-data; name=\"p\"; filename=\"{name}\"\r\n\r\n");
            body.extend([head.as_bytes(), content, b"\r\n"].concat());
        }
        body.extend(b"--b--\r\n");
        self.post("content-type: multipart/form-data; boundary=b\r\n", &body)
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
    }

    /// The most memory that it had so far, in megabytes; 0 where the system does not say.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: 0 kB");
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    // A connection that is reset has said what it had to say before.
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|cause| panic!("{cause}: {text}"))
}

#[test]
fn a_service_says_what_the_command_says_for_one_photo_or_many() {
    let root = tempfile::tempdir().unwrap();
    let served = served(root.path(), &[]);
    let photo = std::fs::read(&served.photo).unwrap();
    let told = Command::new(env!("CARGO_BIN_EXE_petal"))
        .args(["predict", "--json", "--model"])
        .args([&served.model, &served.photo])
        .output()
        .unwrap();
    let told = &json(&String::from_utf8(told.stdout).unwrap())["predictions"][0];
    let (status, one) = served.post("content-type: image/png\r\n", &photo);
    let one = json(&one);
    assert_eq!((status, &one["class"], &one["probability"]), (200, &told["class"], &told["probability"]));
    assert_eq!(one["trust"], told["trust"]);
    let all: Vec<&Value> = one["probabilities"].as_object().unwrap().values().collect();
    assert_eq!(all.len(), 5);

    // Many at once, those that are none among them; each says the same, whatever it came with.
    let parts: Vec<(&str, &[u8])> = vec![("a.png", &photo), ("text", b"no photo"), ("b.png", &photo)];
    let (status, many) = served.form(&parts);
    let many = json(&many);
    let many = many["predictions"].as_array().unwrap();
    assert_eq!((status, many.len()), (200, 3));
    for place in [0, 2] {
        assert_eq!(
            (&many[place]["probability"], &many[place]["name"]),
            (&one["probability"], &Value::from(parts[place].0))
        );
    }
    assert_eq!(many[1]["error"]["status"], 422);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let stream = served.connect();
            let photo = photo.clone();
            std::thread::spawn(move || {
                let mut stream = stream;
                let head = format!(
                    "POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    photo.len()
                );
                stream.write_all(&[head.as_bytes(), &photo].concat()).unwrap();
                answer(stream)
            })
        })
        .collect();
    for thread in threads {
        let (status, body) = thread.join().unwrap();
        assert_eq!((status, &json(&body)["probability"]), (200, &one["probability"]));
    }

    let (_, health) = served.get("/health");
    let health = json(&health);
    assert_eq!((&health["status"], health["photos"].as_u64()), (&Value::from("ok"), Some(11)));
    assert_eq!(health["model_sha256"], petal::files::sha256_file(&served.model).unwrap());
    assert_eq!(json(&served.get("/openapi.json").1)["openapi"], "3.1.0");
    let (status, page) = served.get("/");
    assert!(status == 200 && page.contains("Content-Security-Policy") && !page.contains("https://"));
}

/// A PNG that says it has so many pixels a side, and holds next to nothing.
fn bomb(side: u32) -> Vec<u8> {
    let size = [side.to_be_bytes(), side.to_be_bytes()].concat();
    let head = [&size[..], &[8, 2, 0, 0, 0]].concat();
    let parts =
        [png_chunk(b"IHDR", &head), png_chunk(b"IDAT", &[0x78, 0x9c, 3, 0, 0, 0, 0, 1]), png_chunk(b"IEND", b"")];
    [&b"\x89PNG\r\n\x1a\n"[..], &parts.concat()].concat()
}

#[test]
fn what_nobody_should_send_is_refused_and_the_next_request_is_answered() {
    let root = tempfile::tempdir().unwrap();
    let served = served(root.path(), &["--timeout", "2", "--max-request-bytes", "3000000"]);
    let photo = std::fs::read(&served.photo).unwrap();
    let jpeg = std::fs::read_dir(photos()).unwrap().map(|entry| entry.unwrap().path());
    let jpeg = jpeg.filter(|path| path.extension().is_some_and(|ending| ending == "jpg")).min().unwrap();
    let jpeg = std::fs::read(jpeg).unwrap();
    let plain = "content-type: application/octet-stream\r\n";
    let head = |length: &str| format!("POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{length}\r\n");
    let form = "content-type: multipart/form-data; boundary=b\r\n";
    let many: Vec<(&str, &[u8])> = vec![("p", b"x"); 300];
    let chunks = [
        head("transfer-encoding: chunked\r\n").into_bytes(),
        [b"fffff\r\n".to_vec(), vec![b'x'; 0xfffff], b"\r\n".to_vec()].concat().repeat(4),
    ]
    .concat();
    let refused: Vec<(&str, &[u16], (u16, String))> = vec![
        ("nothing", &[400], served.post(plain, b"")),
        ("a text", &[415], served.post("content-type: text/plain\r\n", b"roses")),
        ("JSON", &[415], served.post("content-type: application/json\r\n", b"{}")),
        ("no photo", &[422], served.post(plain, &vec![7; 5000])),
        ("a cut photo", &[422], served.post(plain, &photo[..photo.len() / 2])),
        ("a photo's first bytes", &[422], served.post(plain, &jpeg[..40])),
        ("a bomb of a hundred million pixels", &[422], served.post(plain, &bomb(10_000))),
        ("a bomb of more pixels than can be counted", &[422], served.post(plain, &bomb(u32::MAX))),
        ("a packed photo", &[422], served.post("content-encoding: gzip\r\n", b"\x1f\x8b\x08\0\0\0\0\0\0\x03")),
        (
            "an SVG",
            &[422],
            served.post("content-type: image/svg+xml\r\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ),
        ("more than it may have", &[413], served.post(plain, &vec![0; 3_000_001])),
        ("a length beyond all bounds", &[413], served.send(head("content-length: 1000000000000\r\n").as_bytes())),
        ("chunks without end", &[413], served.send(&chunks)),
        ("a length that is none", &[400], served.send(head("content-length: -5\r\n").as_bytes())),
        ("two lengths", &[400], served.send(head("content-length: 3\r\ncontent-length: 4\r\n").as_bytes())),
        ("a body that never comes", &[408], served.send(head("content-length: 1000\r\n").as_bytes())),
        ("headers that never end", &[0, 408], served.send(b"POST /predict HTTP/1.1\r\nhost: x\r\n")),
        (
            "headers without bound",
            &[431],
            served.send(&[b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'x'; 200_000]].concat()),
        ),
        ("no HTTP", &[400], served.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")),
        ("another way to ask", &[405], served.get("/predict")),
        ("another path", &[404], served.get("/../../etc/passwd")),
        ("a form without a boundary", &[400], served.post("content-type: multipart/form-data\r\n", b"x")),
        (
            "a form without an end",
            &[400],
            served.post(form, b"--b\r\ncontent-disposition: form-data; name=\"p\"\r\n\r\nx"),
        ),
        ("a form without photos", &[400], served.post(form, b"--b--\r\n")),
        ("a form with too many photos", &[413], served.form(&many)),
        ("a form of no photo", &[422], served.form(&[("a", b"x"), ("b", b"y")])),
    ];
    assert!(refused.len() >= 24);
    for (what, expected, (status, body)) in refused {
        assert!(expected.contains(&status), "{what}: {status} {body}");
        // What petal itself says is JSON, with what was wrong in it.
        if ![0, 431].contains(&status) && !body.is_empty() {
            let said = &json(&body)["error"];
            assert!(said["status"] == status && !said["what"].as_str().unwrap().is_empty(), "{what}: {body}");
        }
    }
    // Whoever ends in the middle, too.
    let mut gone = served.connect();
    gone.write_all(head("content-length: 1000\r\n").as_bytes()).unwrap();
    gone.shutdown(Shutdown::Both).unwrap();
    let (status, body) = served.post(plain, &photo);
    assert_eq!((status, json(&body)["class"].is_string()), (200, true));
    assert!(served.memory() < 500, "{} MB", served.memory());
}

#[test]
fn a_service_that_has_no_room_says_so_and_one_that_ends_answers_what_has_come() {
    let root = tempfile::tempdir().unwrap();
    let mut served = served(root.path(), &["--queue", "1", "--timeout", "20"]);
    let photo = std::fs::read(&served.photo).unwrap();
    // One that is still coming takes the only place.
    let mut slow = served.connect();
    let head =
        format!("POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", photo.len());
    slow.write_all(&[head.as_bytes(), &photo[..10]].concat()).unwrap();
    let mut said = (0, String::new());
    for _ in 0..100 {
        said = served.post("", &photo);
        if said.0 == 503 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(said.0 == 503 && json(&said.1)["error"]["mend"].as_str().unwrap().contains("second"), "{said:?}");
    assert_eq!(served.get("/health").0, 200);
    // Asked to end, it waits for the rest.
    let asked = Command::new("kill").args(["-TERM", &served.child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    std::thread::sleep(Duration::from_millis(300));
    assert!(TcpStream::connect(("127.0.0.1", served.port)).is_err() || served.get("/health").0 == 0);
    slow.write_all(&photo[10..]).unwrap();
    let (status, body) = answer(slow);
    assert_eq!((status, json(&body)["class"].is_string()), (200, true));
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}
