//! What `huitong serve --demo` prints: everything needed to try it.

use std::net::IpAddr;

use api::{SipInfo, Web};
use conference::Conference;

#[expect(clippy::print_stdout, reason = "the demo speaks to the person who started it")]
pub(crate) async fn prepare_and_print(
    conference: &Conference,
    web: &Web,
    sip: &SipInfo,
    announced: &[IpAddr],
) -> anyhow::Result<()> {
    let demo = conference.ensure_demo().await?;
    let number = demo.meeting.number;
    let digits = number.digits();
    let password = demo.meeting.password.as_deref().unwrap_or_default();
    let address = sip.address(&digits);
    println!("\n会通 Huitong is running (demo data; its passwords are public).\n");
    println!("  Web        http://localhost:{}", web.http_addr().port());
    if let (Some(https), Some(ip)) = (web.https_addr(), announced.first()) {
        println!("             https://{ip}:{}  (own certificate: the browser will ask)", https.port());
    }
    for (what, (name, secret)) in [("Host", demo.host), ("Member", demo.member)] {
        println!("  {what:<10} {name} / {secret}");
    }
    println!("  Meeting    {number}   password {password}");
    println!("  SIP        {}   (UDP and TCP)", sip.address("huitong"));
    println!("\n  From a telephone program (Linphone, MicroSIP, baresip): call {address}");
    println!("  without an account or registrar, key 1 (中文) or 2 (English), then {password}#.");
    println!("  Calling {} asks for the meeting ID too: {digits}#.", sip.address("huitong"));
    println!("\n  Ctrl-C stops the server.\n");
    Ok(())
}
