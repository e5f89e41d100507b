//! Telephones called from a meeting (C22): what the core needs of whoever can call them.

use std::sync::{Arc, OnceLock};

use model::{Command, DialState, MeetingId, PhoneNumber, Refusal};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{SipInfo, calling::Admission, handle::Request};

/// Calls telephones. The telephone edge is one; without it none are called.
pub trait Dialer: Send + Sync {
    /// What somebody wrote as the number that is dialled; [`Refusal::BadNumber`] or [`Refusal::NumberNotAllowed`].
    fn read(&self, written: &str) -> Result<Callee, Refusal>;

    /// Calls somebody, and comes into the meeting with him if he wants to. Doesn't wait.
    fn dial(&self, call: DialOut);
}

/// Who is called.
pub struct Callee {
    /// As it is dialled.
    pub number: PhoneNumber,
    /// Of a minute, in thousandths of the currency; none for telephones of the house, which cost nothing.
    pub price: Option<i64>,
}

/// Somebody to be called.
pub struct DialOut {
    /// Where he is invited to.
    pub meeting: MeetingId,
    /// Names the call in that meeting: he joins by it.
    pub dial: u32,
    /// As [`Dialer::read`] has it.
    pub number: PhoneNumber,
    /// Set when nobody wants him any more.
    pub stop: CancellationToken,
    /// That the site may; none for telephones of the house.
    pub admission: Option<Admission>,
    pub(crate) requests: mpsc::Sender<Request>,
}

impl DialOut {
    /// What became of it, for the meeting to know.
    pub async fn tell(&self, state: DialState) {
        // A meeting that has ended needs no telling.
        let _ = self.requests.send(Request::Decided(Command::Dialed(self.dial, state))).await;
    }

    /// Who is called has his calls forwarded to another number: from now on that one is called, if the meeting might have called it
    /// itself; why not, else.
    pub async fn forward(&mut self, to: String) -> Result<(), Refusal> {
        let (answer, admitted) = oneshot::channel();
        self.requests.send(Request::Admit { number: to, answer }).await.map_err(|_| Refusal::Ended)?;
        (self.number, self.admission) = admitted.await.map_err(|_| Refusal::Ended)??;
        Ok(())
    }
}

/// How SIP telephones reach us, once that is known.
pub(crate) type SipSlot = Arc<OnceLock<SipInfo>>;

/// Who is meant by an address of this house, as people write it: `8001@meet.example.com`, with `sip:` or without, or
/// `8001@meet.example.com:5060`. What is no address stays as it is.
pub(crate) fn extension_in(written: &str, own: Option<&SipInfo>) -> Result<String, Refusal> {
    let Some((user, host)) = written.split_once('@') else { return Ok(written.to_owned()) };
    let user = user.trim();
    let user = user.strip_prefix("sips:").or_else(|| user.strip_prefix("sip:")).unwrap_or(user);
    // Its port and parameters (RFC 3261 §19.1.1) say how it is reached, not who it is.
    let host = host.split(';').next().unwrap_or_default().trim();
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(host, _)| host),
    };
    let is_own = own.is_some_and(|own| own.host.trim_matches(['[', ']']).eq_ignore_ascii_case(host));
    // Who is elsewhere is another's telephone, and nobody has allowed calls to it.
    if is_own { Ok(user.to_owned()) } else { Err(Refusal::NumberNotAllowed) }
}

/// The dialer, once there is one.
pub(crate) type DialerSlot = Arc<OnceLock<Arc<dyn Dialer>>>;

#[cfg(test)]
mod tests {
    use super::*;

    // product: C22
    #[test]
    fn an_address_of_the_house_names_one_of_its_telephones() {
        let own = |host: &str| SipInfo { host: host.to_owned(), udp: Some(5060), tcp: None };
        let meet = own("meet.example.com");
        let check = |written: &str, expected: Result<&str, Refusal>| {
            assert_eq!(
                extension_in(written, Some(&meet)).as_deref().map_err(|refusal| *refusal),
                expected,
                "{written}"
            );
        };
        check("8001", Ok("8001"));
        check("138 1234 5678", Ok("138 1234 5678"));
        check("8001@meet.example.com", Ok("8001"));
        check(" sip:8001@MEET.example.com:5080;transport=tls", Ok("8001"));
        check("8001@meet.example.com.evil.example", Err(Refusal::NumberNotAllowed));
        check("8001@example.com", Err(Refusal::NumberNotAllowed));
        check("8001@", Err(Refusal::NumberNotAllowed));
        assert_eq!(extension_in("8001@[2001:db8::1]:5060", Some(&own("2001:db8::1"))), Ok("8001".to_owned()));
        assert_eq!(extension_in("8001@meet.example.com", None), Err(Refusal::NumberNotAllowed));
    }
}
