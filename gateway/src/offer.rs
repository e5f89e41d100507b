//! What a stranger's session description may make us send, and where to: never to a crowd, to ourselves, to a machine's own
//! neighbours, or to a service that is no telephone. One that wants that is refused (488).

use std::net::{IpAddr, SocketAddr};

use sip::sdp::{self, Agreed, OfferError, Video};

/// Below it lie services, and no telephone.
const PORT_MIN: u16 = 1024;

/// Our own addresses: what is bound for SIP, and what is announced; and where we take sound.
pub(crate) struct Ours {
    pub(crate) bound: Vec<SocketAddr>,
    pub(crate) announced: Vec<IpAddr>,
    pub(crate) takes_sound: Box<dyn Fn(SocketAddr) -> bool + Send + Sync>,
}

impl Ours {
    /// Who wants sound there wants us to talk to ourselves.
    pub(crate) fn has(&self, address: SocketAddr) -> bool {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let is_here = |bound: &SocketAddr| {
            let any = self.announced.contains(&address.ip()) || address.ip().is_loopback();
            bound.ip() == address.ip() || bound.ip().is_unspecified() && any
        };
        let is_sip = self.bound.iter().any(|bound| bound.port() == address.port() && is_here(bound));
        is_sip || (self.takes_sound)(address)
    }
}

/// Reads an offer or answer that came from `signalling`.
pub(crate) fn agree(description: &[u8], signalling: IpAddr, ours: &Ours) -> Result<Agreed, OfferError> {
    let mut agreed =
        sdp::agree(description).inspect_err(|error| tracing::info!(%error, "no sound of this description"))?;
    let may_send = |to: SocketAddr| may_send(to, signalling, ours);
    // A handshake is begun with where RTCP is to go, too (RFC 5764 §4.1.3).
    let may_report = agreed.rtcp_mux || agreed.rtcp.is_none_or(may_send);
    if !may_send(agreed.remote) || !may_report {
        refused(&agreed);
        return Err(OfferError::NotAcceptable);
    }
    // Where pictures, or reports of them, may not go, the call has its sound.
    agreed.video =
        agreed.video.filter(|video| may_send(video.remote) && (video.rtcp_mux || video.rtcp.is_none_or(may_send)));
    Ok(agreed)
}

/// The same where our own address is chosen already: sound of the other family (IPv4, IPv6) has no way there.
pub(crate) fn agree_at(
    local: SocketAddr,
    description: &[u8],
    signalling: IpAddr,
    ours: &Ours,
) -> Result<Agreed, OfferError> {
    let agreed = agree(description, signalling, ours)?;
    let is_hold = agreed.remote.ip().is_unspecified();
    if is_hold || agreed.remote.is_ipv4() == local.is_ipv4() { Ok(agreed) } else { Err(OfferError::NotAcceptable) }
}

/// Asked again once a port is open for this call, which is one of ours then: who calls again and again can tell which comes next.
pub(crate) fn is_ours(agreed: &Agreed, ours: &Ours) -> bool {
    let is_ours = ours.has(agreed.remote) || agreed.rtcp.is_some_and(|rtcp| ours.has(rtcp));
    if is_ours {
        refused(agreed);
    }
    is_ours
}

/// For the operator, whose caller hears nothing but that it can't be.
fn refused(agreed: &Agreed) {
    tracing::info!(rtp = %agreed.remote, rtcp = ?agreed.rtcp, "no sound is sent where it is wanted");
}

/// The same of pictures.
pub(crate) fn is_ours_too(video: &Video, ours: &Ours) -> bool {
    ours.has(video.remote) || video.rtcp.is_some_and(|rtcp| ours.has(rtcp))
}

/// Whom our address for sound is to suit: who calls, unless his sound is of the other family than his words.
pub(crate) fn where_from(agreed: &Agreed, signalling: IpAddr) -> IpAddr {
    if agreed.remote.is_ipv4() == signalling.is_ipv4() { signalling } else { agreed.remote.ip() }
}

fn may_send(to: SocketAddr, signalling: IpAddr, ours: &Ours) -> bool {
    // ::ffff:127.0.0.1 is 127.0.0.1.
    let ip = to.ip().to_canonical();
    // A hold of RFC 2543: nothing is sent there.
    if ip.is_unspecified() {
        return true;
    }
    let link_local = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    // Who calls over the loopback or a cable without a router is there himself.
    to.port() >= PORT_MIN
        && !ip.is_multicast()
        && !broadcast
        && (!ip.is_loopback() || signalling.is_loopback())
        && (!link_local(ip) || link_local(signalling))
        && !ours.has(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Ours {
        Ours {
            bound: vec!["0.0.0.0:5060".parse().unwrap()],
            announced: vec!["203.0.113.1".parse().unwrap()],
            takes_sound: Box::new(|to| to == SocketAddr::from(([203, 0, 113, 1], 20_000))),
        }
    }

    // reliability: A10
    #[test]
    fn reports_and_handshakes_are_sent_to_no_other_place_either() {
        let ours = ours();
        let check = |lines: &str, expected: bool| {
            let offer = format!("v=0\r\nc=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 8\r\n{lines}");
            let agreed = agree(offer.as_bytes(), "198.51.100.7".parse().unwrap(), &ours);
            assert_eq!(agreed.is_ok(), expected, "{lines}");
        };
        check("", true);
        check("a=rtcp:4005\r\n", true);
        check("a=rtcp:4005 IN IP4 198.51.100.8\r\n", true);
        check("a=rtcp:9 IN IP4 0.0.0.0\r\n", true);
        check("a=rtcp:0\r\n", true);
        check("a=rtcp:53\r\n", false);
        check("a=rtcp:4005 IN IP4 169.254.169.254\r\n", false);
        check("a=rtcp:4005 IN IP4 127.0.0.1\r\n", false);
        check("a=rtcp:5060 IN IP4 203.0.113.1\r\n", false);
        check("a=rtcp:20000 IN IP4 203.0.113.1\r\n", false);
        check("a=rtcp-mux\r\na=rtcp:9\r\n", true);
    }

    // reliability: A10
    #[test]
    fn sound_is_sent_to_no_place_where_no_telephone_is() {
        let ours = ours();
        let check = |to: &str, from: &str, expected: bool| {
            let (to, signalling) = (to.parse().unwrap(), from.parse().unwrap());
            assert_eq!(may_send(to, signalling, &ours), expected, "{to} for {from}");
        };
        let stranger = "198.51.100.7";
        for to in ["127.0.0.1:4000", "127.9.9.9:4000", "[::1]:4000", "[::ffff:127.0.0.1]:4000"] {
            check(to, stranger, false);
        }
        check("127.0.0.1:4000", "127.0.0.1", true);
        for to in ["255.255.255.255:4000", "224.0.0.1:4000", "[ff02::1]:4000"] {
            check(to, stranger, false);
            check(to, "127.0.0.1", false);
        }
        for to in ["169.254.169.254:4000", "[fe80::1]:4000"] {
            check(to, stranger, false);
        }
        check("169.254.3.4:4000", "169.254.9.9", true);
        for to in ["203.0.113.1:5060", "203.0.113.1:20000", "198.51.100.7:1023", "198.51.100.7:53"] {
            check(to, stranger, false);
        }
        for to in ["127.0.0.1:5060", "[::ffff:127.0.0.1]:5060", "[::ffff:203.0.113.1]:5060"] {
            check(to, "127.0.0.1", false);
        }
        for to in ["198.51.100.7:1024", "203.0.113.1:5062", "10.0.0.9:4000", "0.0.0.0:9", "[2001:db8::9]:4000"] {
            check(to, stranger, true);
        }
    }
}
