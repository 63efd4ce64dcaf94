//! Jupyter's messages (jupyter-client.readthedocs.io/en/stable/messaging.html): read, checked, written and signed.

use super::{now, sign, unique};
use serde_json::{Value, json};

const DELIMITER: &[u8] = b"<IDS|MSG>";
/// The version of the protocol that the kernel speaks.
const VERSION: &str = "5.4";

/// One message from a front end.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// What goes before an answer, so that it finds its way.
    pub(crate) routing: Vec<Vec<u8>>,
    pub(crate) header: Value,
    pub(crate) metadata: Value,
    pub(crate) content: Value,
    pub(crate) buffers: Vec<Vec<u8>>,
}

impl Message {
    /// What kind of message it is: `execute_request`, say.
    pub(crate) fn kind(&self) -> &str {
        self.header["msg_type"].as_str().unwrap_or_default()
    }

    /// A text of the content; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.content[name].as_str().unwrap_or_default()
    }

    /// The name of the cell that it comes from, where the front end says it.
    pub(crate) fn cell(&self) -> Option<&str> {
        self.metadata["cellId"].as_str()
    }

    /// A yes or no of the content.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.content[name].as_bool().unwrap_or(default)
    }
}

/// Signs what the kernel says, and checks what it hears.
#[derive(Clone)]
pub(crate) struct Session {
    key: Vec<u8>,
    name: String,
}

impl Session {
    pub(crate) fn new(key: Vec<u8>) -> Session {
        Session { key, name: unique() }
    }

    /// Reads a message, and refuses one that is not signed as it must be.
    pub(crate) fn read(&self, mut frames: Vec<Vec<u8>>) -> Result<Message, String> {
        let start = frames.iter().position(|frame| frame == DELIMITER).ok_or("no delimiter")?;
        let mut signed = frames.split_off(start + 1);
        frames.pop();
        if signed.len() < 5 {
            return Err(format!("{} frames after the delimiter; a message has five or more", signed.len()));
        }
        let buffers = signed.split_off(5);
        let parts: Vec<&[u8]> = signed[1..].iter().map(Vec::as_slice).collect();
        if !self.key.is_empty() && !sign::equal(sign::sign(&self.key, &parts).as_bytes(), &signed[0]) {
            return Err("its signature is not right".to_owned());
        }
        let value =
            |index: usize| serde_json::from_slice::<Value>(parts[index]).map_err(|error| format!("no JSON: {error}"));
        Ok(Message { routing: frames, header: value(0)?, metadata: value(2)?, content: value(3)?, buffers })
    }

    /// Writes a message behind `before` (the routing, or a topic), in answer to the one with the header `parent`.
    pub(crate) fn write(
        &self,
        before: &[Vec<u8>],
        kind: &str,
        parent: &Value,
        metadata: &Value,
        content: &Value,
        buffers: &[Vec<u8>],
    ) -> Vec<Vec<u8>> {
        let header = json!({
            "msg_id": unique(), "session": self.name, "username": "kernel", "date": now(), "msg_type": kind, "version": VERSION,
        });
        let parent = if parent.is_object() { parent } else { &json!({}) };
        let metadata = if metadata.is_object() { metadata } else { &json!({}) };
        let parts: Vec<Vec<u8>> =
            [&header, parent, metadata, content].map(|value| value.to_string().into_bytes()).into();
        let signature = match self.key.is_empty() {
            true => String::new(),
            false => sign::sign(&self.key, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        };
        let mut frames = before.to_vec();
        frames.push(DELIMITER.to_vec());
        frames.push(signature.into_bytes());
        frames.extend(parts);
        frames.extend_from_slice(buffers);
        frames
    }

    /// Writes the answer to a message: `execute_reply` to an `execute_request`.
    pub(crate) fn reply(&self, to: &Message, content: &Value) -> Vec<Vec<u8>> {
        let kind = to.kind().replace("_request", "_reply");
        self.write(&to.routing, &kind, &to.header, &json!({}), content, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let session = Session::new(b"a key".to_vec());
        let before = vec![b"route".to_vec()];
        let content = json!({"code": "1 + 1", "silent": false});
        let frames =
            session.write(&before, "execute_request", &json!({"msg_id": "x"}), &json!({}), &content, &[vec![1, 2, 3]]);
        let message = session.read(frames.clone()).unwrap();
        assert_eq!(
            (message.kind(), message.text("code"), message.flag("silent", true)),
            ("execute_request", "1 + 1", false)
        );
        assert_eq!((message.routing.clone(), message.buffers.clone()), (before, vec![vec![1, 2, 3]]));
        let reply = session.read(session.reply(&message, &json!({"status": "ok"}))).unwrap();
        assert_eq!(reply.kind(), "execute_reply");
    }

    #[test]
    fn what_is_not_signed_is_refused() {
        let session = Session::new(b"a key".to_vec());
        let mut frames = session.write(&[], "execute_request", &json!({}), &json!({}), &json!({"code": "1"}), &[]);
        let end = frames.len() - 1;
        frames[end] = br#"{"code":"2"}"#.to_vec();
        assert!(session.read(frames.clone()).unwrap_err().contains("signature"));
        assert!(Session::new(b"another".to_vec()).read(frames.clone()).is_err());
        assert!(Session::new(Vec::new()).read(frames).is_ok(), "without a key nothing is signed");
        assert!(session.read(vec![b"noise".to_vec()]).is_err());
        assert!(session.read(vec![DELIMITER.to_vec(), b"short".to_vec()]).is_err());
    }
}
