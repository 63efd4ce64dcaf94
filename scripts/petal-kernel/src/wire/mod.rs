//! Jupyter's wire protocol: ZeroMQ's frames over sockets, signed messages in them.

mod connection;
mod identity;
mod message;
mod peer;
mod publish;
mod sign;
mod socket;
mod zmtp;

pub(crate) use connection::Connection;
pub(crate) use identity::{now, unique};
pub(crate) use message::{Message, Session};
pub(crate) use peer::Peer;
pub(crate) use publish::Publisher;
pub(crate) use socket::Listener;
