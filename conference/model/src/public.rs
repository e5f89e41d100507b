//! Which addresses are the public internet's: a server that sends where people say must not be sent into its own network.

use std::net::IpAddr;

/// An address of the public internet, as far as it can be told from its digits (RFC 6890).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (b == 18 || b == 19);
            let protocol = a == 192 && b == 0 && c == 0;
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_documentation()
                || shared
                || benchmark
                || protocol
                || a == 0
                || a >= 240)
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            let second = v6.segments()[1];
            // Global unicast alone, and none that carries an IPv4 address within (6to4, Teredo, NAT64).
            let special = first == 0x2002 || first == 0x2001 && second < 0x0200;
            let documentation = first == 0x2001 && second == 0x0db8 || first == 0x3fff && second < 0x1000;
            (0x2000..0x4000).contains(&first) && !special && !documentation
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // reliability.md A14
    #[test]
    fn only_the_public_internet_is_sent_to() {
        let check = |text: &str| is_public(text.parse().unwrap());
        for public in [
            "93.184.216.34",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "198.17.255.255",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "2606:2800:220:1::1",
            "2400:3200::1",
        ] {
            assert!(check(public), "{public}");
        }
        for forbidden in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "::ffff:0:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!check(forbidden), "{forbidden}");
        }
    }
}
