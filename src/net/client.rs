//! The client of every download: how long it waits, and which way it follows a redirect.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::Agent;
use ureq::config::{Config, RedirectAuthHeaders};
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// A client for this address. From an https address it follows to https only, and from the world never to this machine or the
/// network around it.
pub(crate) fn client(url: &str) -> Agent {
    Agent::with_parts(config(url), DefaultConnector::default(), Outward::new(DefaultResolver::default()))
}

fn config(url: &str) -> Config {
    Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .https_only(url.starts_with("https://"))
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .http_status_as_error(false)
        .accept_encoding("identity")
        .user_agent(concat!("petal/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
}

type Found = Result<ResolvedSocketAddrs, ureq::Error>;

/// How far away an address is, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Machine,
    Network,
    World,
}

impl Reach {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [first, second, ..] = v4.octets();
                // Addresses that providers share among customers, RFC 6598.
                let is_shared = first == 100 && (64..128).contains(&second);
                if v4.is_loopback() || first == 0 {
                    Self::Machine
                } else if v4.is_private() || v4.is_link_local() || v4.is_broadcast() || v4.is_multicast() || is_shared {
                    Self::Network
                } else {
                    Self::World
                }
            }
            IpAddr::V6(v6) if v6.is_loopback() || v6.is_unspecified() => Self::Machine,
            IpAddr::V6(v6) => match v6.segments() {
                // Translated to IPv4, RFC 6052.
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                    Self::of(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into())
                }
                _ if v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast() => Self::Network,
                _ => Self::World,
            },
        }
    }
}

/// Finds the addresses of hosts, but none nearer than those of the first one: a server out in the world has no business to
/// point at this machine or at what else is in its network.
#[derive(Debug)]
struct Outward<R> {
    names: R,
    began: Mutex<Option<Reach>>,
}

impl<R> Outward<R> {
    fn new(names: R) -> Self {
        Self { names, began: Mutex::new(None) }
    }
}

impl<R: Resolver> Resolver for Outward<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Found {
        let found = self.names.resolve(uri, config, timeout)?;
        // A proxy is where the person said that it is.
        if config.proxy().is_some_and(|proxy| proxy.uri().authority() == uri.authority()) {
            return Ok(found);
        }
        let nearest = found.iter().map(|address| Reach::of(address.ip())).min().unwrap_or(Reach::World);
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(nearest);
        if nearest >= began {
            return Ok(found);
        }
        let place = if nearest == Reach::Machine { "this machine" } else { "in a private network" };
        Err(ureq::Error::Other(format!("it leads to {}, which is {place}", uri.host().unwrap_or_default()).into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    /// Names as they could be out there.
    #[derive(Debug)]
    struct Names;

    impl Resolver for Names {
        fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Found {
            let ip = match uri.host().unwrap() {
                "hub.test" => "93.184.216.34",
                "storage.test" => "[2606:2800:220::1]",
                "mirror.test" => "10.0.0.7",
                "router.test" => "[fe80::1]",
                "metadata.test" => "169.254.169.254",
                "here.test" => "[::ffff:127.0.0.1]",
                other => other,
            };
            let mut found = self.empty();
            found.push(format!("{ip}:80").parse().unwrap());
            Ok(found)
        }
    }

    /// What comes through leads to this server, whatever the address.
    #[derive(Debug)]
    struct Here(Outward<Names>, SocketAddr);

    impl Resolver for Here {
        fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Found {
            self.0.resolve(uri, config, timeout)?;
            let mut here = self.empty();
            here.push(self.1);
            Ok(here)
        }
    }

    /// Asks `from`, whose server points to `to`, where "content" is: what came, and how many requests were made.
    fn redirected(from: &str, to: &str, config: Config) -> (Result<String, ureq::Error>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let names = Here(Outward::new(Names), listener.local_addr().unwrap());
        let agent = Agent::with_parts(config, DefaultConnector::default(), names);
        let answers = [
            format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\ncontent".to_owned(),
        ];
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let got = agent.get(from).call().and_then(|mut response| response.body_mut().read_to_string());
        (got, requests.load(Ordering::SeqCst))
    }

    #[test]
    fn f10_a_redirect_from_the_world_to_this_machine_or_its_network_is_refused() {
        let follow = |from: &str, to: &str| redirected(from, to, config(from));
        // The server's names count, not only their literal addresses, and each hop.
        for to in
            ["mirror.test", "router.test", "metadata.test", "here.test", "127.0.0.1", "[::1]", "0.0.0.0", "100.64.1.1"]
        {
            let (got, requests) = follow("http://hub.test/a", &format!("http://{to}/b"));
            let error = got.expect_err(to).to_string();
            assert!(error.contains(&format!("leads to {to}")), "{error}");
            assert_eq!(requests, 1, "{to} was asked");
        }
        let (got, requests) = follow("http://mirror.test/a", "http://127.0.0.1/b");
        assert!(got.unwrap_err().to_string().contains("this machine") && requests == 1);
        // From the world into the world, and from inside to anywhere.
        for (from, to) in [("hub", "storage"), ("mirror", "metadata"), ("mirror", "hub"), ("here", "mirror")] {
            let (got, requests) = follow(&format!("http://{from}.test/a"), &format!("http://{to}.test/b"));
            assert_eq!((got.unwrap().as_str(), requests), ("content", 2), "{from} to {to}");
        }
    }

    #[test]
    fn f10_what_began_with_https_never_goes_on_without() {
        let (got, requests) = redirected("http://hub.test/a", "http://hub.test/b", config("https://hub.test/a"));
        assert!(matches!(got, Err(ureq::Error::RequireHttpsOnly(_))), "{got:?}");
        assert_eq!(requests, 0);
    }

    #[test]
    fn addresses_are_as_far_away_as_the_registries_say() {
        let of = |address: &str| Reach::of(address.parse().unwrap());
        for near in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert_eq!(of(near), Reach::Machine, "{near}");
        }
        for around in
            ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "100.127.0.1", "fd00::1"]
        {
            assert_eq!(of(around), Reach::Network, "{around}");
        }
        for far in ["8.8.8.8", "172.32.0.1", "100.63.0.1", "100.128.0.1", "2606:2800:220::1", "64:ff9b::808:808"] {
            assert_eq!(of(far), Reach::World, "{far}");
        }
    }
}
