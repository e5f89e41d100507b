//! What the end-to-end tests are told in: a server, telephones, what they hear. Everything is real: the program as it is
//! installed, sockets, a SIP phone of somebody else's making.

mod baresip;
mod browser;
mod client;
mod coturn;
mod disk;
mod film;
mod kamailio;
mod name_server;
mod pjsua;
mod raw;
mod recogniser;
mod rtmp;
mod s3;
mod server;
mod strait;
mod stunnel;
mod user;
mod whip;

pub use baresip::{Baresip, Codec, Heard};
pub use browser::{Browser, Colour, Devices, by_id};
pub use client::{Client, Sitter, http, http_with};
pub use coturn::Coturn;
pub use disk::Disk;
pub use film::{GREY, Noise};
pub use kamailio::Kamailio;
pub use name_server::{Kind, NameServer};
pub use pjsua::Pjsua;
pub use raw::{RawPhone, Reply, silence, tag};
pub use recogniser::{PocketSphinx, Recogniser};
pub use rtmp::Rtmp;
pub use s3::S3;
pub use server::{Server, command, free_everywhere, python};
pub use strait::{Line, Strait};
pub use stunnel::Stunnel;
pub use user::{Answer, PASSWORD, User};
pub use whip::Aiortc;
