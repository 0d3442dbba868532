//! Where a server may listen, and what has to be said by name before it may.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What is refused unless it is allowed by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allow {
    /// An address that others can reach.
    Remote,
    /// A port below 1024.
    LowPort,
    /// An address at which every SDK looks for its instance's or container's credentials.
    MetadataAddress,
}

impl Allow {
    pub const ALL: [(&'static str, Allow); 3] =
        [("remote", Allow::Remote), ("low-port", Allow::LowPort), ("metadata-address", Allow::MetadataAddress)];

    fn name(self) -> &'static str {
        Allow::ALL.into_iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// Why `address` may not be listened on, and what would have to be allowed; None where it may.
pub fn refused(address: SocketAddr, allowed: &[Allow]) -> Option<(String, &'static str)> {
    let wants = |what: Allow| !allowed.contains(&what);
    let ip = address.ip().to_canonical();
    if METADATA.contains(&ip) && wants(Allow::MetadataAddress) {
        return Some((
            format!("{ip} is where every SDK looks for its machine's credentials"),
            Allow::MetadataAddress.name(),
        ));
    }
    if !ip.is_loopback() && wants(Allow::Remote) {
        return Some((format!("{ip} is no loopback address: others can reach it"), Allow::Remote.name()));
    }
    if (1..1024).contains(&address.port()) && wants(Allow::LowPort) {
        return Some((
            format!("port {} is one that programs of the system use", address.port()),
            Allow::LowPort.name(),
        ));
    }
    None
}

/// EC2's, ECS' and EKS'.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(address: &str, allowed: &[Allow]) -> Option<&'static str> {
        refused(address.parse().unwrap(), allowed).map(|(_, name)| name)
    }

    #[test]
    fn s35_loopback_addresses_alone_unless_others_are_allowed_by_name() {
        for fine in ["127.0.0.1:8094", "127.5.0.1:8094", "[::1]:8094", "[::ffff:127.0.0.1]:8094", "127.0.0.1:0"] {
            assert_eq!(wants(fine, &[]), None, "{fine}");
        }
        for other in ["0.0.0.0:8094", "[::]:8094", "192.168.1.2:8094", "169.254.1.1:8094"] {
            assert_eq!(wants(other, &[]), Some("remote"), "{other}");
            assert_eq!(wants(other, &[Allow::Remote]), None, "{other}");
        }
    }

    #[test]
    fn s40_low_ports_and_metadata_addresses_are_asked_for_by_name() {
        assert_eq!(wants("127.0.0.1:80", &[]), Some("low-port"));
        assert_eq!(wants("127.0.0.1:80", &[Allow::LowPort]), None);
        assert_eq!(wants("169.254.170.2:8094", &[Allow::Remote]), Some("metadata-address"));
        assert_eq!(wants("169.254.169.254:8094", &[Allow::MetadataAddress]), Some("remote"));
        let all = Allow::ALL.map(|(_, allow)| allow);
        assert_eq!(wants("169.254.169.254:80", &all), None);
    }
}
