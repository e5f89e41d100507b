use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use hyper_util::rt::TokioIo;
use model::BroadcastId;
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::TcpSocket,
    sync::Notify,
    time::timeout,
};

use super::*;
use crate::{listen::bind, live::tests::answer_with};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Longer than any patience of a test.
const SOON: Duration = Duration::from_secs(30);

const PATIENCE: Patience = Patience { first_request: SOON, head: SOON, taking: SOON };

/// Of a part: so long that no socket takes it at once, and nowhere alike.
const PART_BYTES: usize = 400_000;

/// A livestream of one playlist and one part. What else is asked for never comes.
#[derive(Clone)]
struct Livestream {
    part: Bytes,
    waiting: Arc<AtomicUsize>,
    came: Arc<Notify>,
}

impl Livestream {
    fn new() -> Self {
        let part: Vec<u8> = (0..PART_BYTES as u32 / 4).flat_map(u32::to_be_bytes).collect();
        Self { part: part.into(), waiting: Arc::default(), came: Arc::default() }
    }
}

/// Counts one who waits.
struct Waiting(Livestream);

impl Waiting {
    fn new(of: &Livestream) -> Self {
        of.waiting.fetch_add(1, Ordering::SeqCst);
        of.came.notify_one();
        Self(of.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        self.0.came.notify_one();
    }
}

impl Files for Livestream {
    async fn answer(&self, _: SocketAddr, asked: &Asked) -> Result<Answer, Response> {
        match asked.name() {
            "video.m3u8" => Ok(answer_with(Bytes::from_static(b"#EXTM3U\n"))),
            "video-p1.m4s" => Ok(answer_with(self.part.clone())),
            "video-p2.m4s" => Err((StatusCode::GONE, "gone").into_response()),
            _ => {
                let _waiting = Waiting::new(self);
                std::future::pending().await
            }
        }
    }
}

/// Pages and forms; and files, where hyper is asked for them.
fn rest() -> Router {
    Router::new()
        .route("/", get(|| async { "a page" }))
        .route("/large", get(|| async { vec![0_u8; 64 << 20] }))
        .route("/form", post(|body: String| async move { format!("a form with {body}") }))
        .route("/unread", post(|| async { "not read" }))
        .route("/live/{id}/{file}", get(|| async { "by hyper" }))
        .route("/echo", get(echo))
}

/// Says back what it hears, by another protocol.
async fn echo(mut request: Request) -> Response {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut heard, mut said) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
        tokio::io::copy(&mut heard, &mut said).await.unwrap();
    });
    (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")]).into_response()
}

/// A served port.
struct Served {
    door: Door,
    address: SocketAddr,
    livestream: Livestream,
}

impl Served {
    fn new(patience: Patience) -> Self {
        let listener = bind(LOOPBACK, patience).unwrap();
        let address = listener.local_addr().unwrap();
        let livestream = Livestream::new();
        let door = Door::open(listener, patience, livestream.clone(), rest()).unwrap();
        Self { door, address, livestream }
    }

    async fn connect(&self) -> Player {
        Player(BufReader::new(TcpStream::connect(self.address).await.unwrap()))
    }

    async fn all_are_gone(&self) {
        let all_gone = async {
            while self.door.connection_count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, all_gone).await.expect("no connection is left");
    }
}

struct Player(BufReader<TcpStream>);

impl Player {
    async fn say(&mut self, said: &str) {
        self.0.write_all(said.as_bytes()).await.unwrap();
    }

    async fn ask(&mut self, path: &str) {
        self.say(&get_of(path)).await;
    }

    /// An answer's status, head and body.
    async fn hear(&mut self) -> (u16, String, Vec<u8>) {
        timeout(SOON, self.answer()).await.expect("it is answered")
    }

    async fn answer(&mut self) -> (u16, String, Vec<u8>) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(char::from(self.0.read_u8().await.unwrap()));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut body).await.unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
    }

    async fn hear_text(&mut self) -> String {
        String::from_utf8(self.hear().await.2).unwrap()
    }

    /// What it still gives until it is closed.
    async fn rest(&mut self) -> usize {
        let mut bytes = Vec::new();
        // Closed is closed, politely or not.
        let _ = timeout(SOON, self.0.read_to_end(&mut bytes)).await.expect("it is closed");
        bytes.len()
    }
}

fn file(name: &str) -> String {
    format!("/live/{}/{name}", BroadcastId::from_u128(7))
}

fn get_of(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

// RFC 9112 §9.3
#[tokio::test]
async fn files_and_pages_come_over_one_connection() {
    let served = Served::new(PATIENCE);
    let mut player = served.connect().await;
    for _ in 0..3 {
        player.ask(&file("video.m3u8")).await;
        let (status, head, body) = player.hear().await;
        assert_eq!((status, body.as_slice()), (200, b"#EXTM3U\n".as_slice()));
        for field in ["access-control-allow-origin: *", "vary: accept-encoding", "etag: \"", "date: "] {
            assert!(head.contains(&format!("\r\n{field}")), "{head}");
        }
        player.ask("/").await;
        assert_eq!(player.hear_text().await, "a page");
        player.ask(&file("video-p2.m4s")).await;
        let (status, _, body) = player.hear().await;
        assert_eq!((status, body.as_slice()), (410, b"gone".as_slice()));
        // A form is hyper's, and so is what comes after it, until something else was answered.
        player.say("POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nwords").await;
        assert_eq!(player.hear_text().await, "a form with words");
        player.ask(&file("video.m3u8")).await;
        assert_eq!(player.hear_text().await, "by hyper");
    }
}

// RFC 9112 §9.3.2
#[tokio::test]
async fn what_is_asked_for_at_once_is_answered_in_turn() {
    let served = Served::new(PATIENCE);
    let mut player = served.connect().await;
    let chunked = "POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    let many = [&file("video.m3u8"), "/", &file("video-p1.m4s"), "/", &file("video.m3u8")].map(get_of).concat();
    player.say(&(many + chunked + &get_of("/"))).await;
    assert_eq!(player.hear_text().await, "#EXTM3U\n");
    assert_eq!(player.hear_text().await, "a page");
    // Hyper has read ahead, or has not.
    let mut is_one_of = async |all: [&[u8]; 2]| {
        let body = player.hear().await.2;
        assert!(all.contains(&body.as_slice()), "{} bytes", body.len());
    };
    is_one_of([b"by hyper", &served.livestream.part]).await;
    is_one_of([b"a page"; 2]).await;
    is_one_of([b"by hyper", b"#EXTM3U\n"]).await;
    is_one_of([b"a form with ab"; 2]).await;
    is_one_of([b"a page"; 2]).await;
}

// RFC 9112 §6: the body of a form that nobody reads is no request.
#[tokio::test]
async fn what_a_form_says_is_never_taken_for_a_request() {
    let served = Served::new(PATIENCE);
    let hidden = get_of(&file("video.m3u8"));
    let mut player = served.connect().await;
    let head = format!("POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", hidden.len());
    player.say(&head).await;
    assert_eq!(player.hear_text().await, "not read");
    // It may be closed already.
    let _ = player.0.write_all(hidden.as_bytes()).await;
    assert_eq!(player.rest().await, 0);
}

// RFC 9110 §7.8
#[tokio::test]
async fn a_connection_may_become_another_thing() {
    let served = Served::new(PATIENCE);
    let mut player = served.connect().await;
    player.ask(&file("video.m3u8")).await;
    assert_eq!(player.hear_text().await, "#EXTM3U\n");
    player.say("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await;
    assert_eq!(player.hear().await.0, 101);
    for said in [&get_of(&file("video.m3u8")), "anything"] {
        player.say(said).await;
        let mut heard = vec![0; said.len()];
        timeout(SOON, player.0.read_exact(&mut heard)).await.expect("it is said back").unwrap();
        assert_eq!(heard, said.as_bytes());
    }
}

#[tokio::test]
async fn a_part_comes_whole_to_who_reads_slowly() {
    let served = Served::new(PATIENCE);
    let reader = TcpSocket::new_v4().unwrap();
    reader.set_recv_buffer_size(4 << 10).unwrap();
    let mut slow = Player(BufReader::new(reader.connect(served.address).await.unwrap()));
    let mut quick = served.connect().await;
    // The first is copied; the others get what was laid ready.
    for player in [&mut slow, &mut quick] {
        for _ in 0..3 {
            player.ask(&file("video-p1.m4s")).await;
            let (status, _, body) = player.hear().await;
            assert!(status == 200 && body == served.livestream.part, "{} bytes", body.len());
        }
    }
}

#[tokio::test]
async fn who_goes_while_he_waits_is_not_waited_with() {
    let served = Served::new(PATIENCE);
    let are_waiting = async |number| {
        let so_many = async {
            while served.livestream.waiting.load(Ordering::SeqCst) != number {
                served.livestream.came.notified().await;
            }
        };
        timeout(SOON, so_many).await.expect("so many wait");
    };
    let mut player = served.connect().await;
    player.ask(&file("video-p3.m4s")).await;
    are_waiting(1).await;
    // Who says more meanwhile, as much as he likes, is waited with.
    let mut other = served.connect().await;
    other.ask(&file("video-p3.m4s")).await;
    are_waiting(2).await;
    for _ in 0..HEAD_BYTES_MAX {
        other.say("GET / ").await;
    }
    drop(player);
    are_waiting(1).await;
}

#[tokio::test]
async fn who_says_nothing_and_who_takes_nothing_is_let_go() {
    let short = Duration::from_secs(2);
    let served = Served::new(Patience { first_request: short, head: short, taking: short });
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(served.connect().await);
    }
    let mut slow = served.connect().await;
    slow.say("GET / HTTP/1.1\r\nHost: a\r\nX-").await;
    let mut reading = served.connect().await;
    reading.ask("/").await;
    assert_eq!(reading.hear_text().await, "a page");
    let mut watching = served.connect().await;
    watching.ask(&file("video.m3u8")).await;
    assert_eq!(watching.hear_text().await, "#EXTM3U\n");
    watching.say("GET /live/").await;
    // Readers whose own buffers are small and stay full.
    let mut full = Vec::new();
    for path in ["/large", &file("video-p1.m4s")] {
        let reader = TcpSocket::new_v4().unwrap();
        reader.set_recv_buffer_size(4 << 10).unwrap();
        let mut reader = Player(BufReader::new(reader.connect(served.address).await.unwrap()));
        for _ in 0..100 {
            reader.ask(path).await;
        }
        full.push(reader);
    }
    for player in silent.iter_mut().chain([&mut slow, &mut reading, &mut watching]) {
        assert_eq!(player.rest().await, 0);
    }
    served.all_are_gone().await;
    for reader in &mut full {
        assert!(reader.rest().await < 100 * PART_BYTES);
    }
}

#[tokio::test]
async fn nonsense_is_refused_and_harms_nobody() {
    let served = Served::new(PATIENCE);
    let long =
        format!("GET {} HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", file("video.m3u8"), "a".repeat(HEAD_BYTES_MAX));
    let mut player = served.connect().await;
    player.say(&long).await;
    assert_eq!(player.hear_text().await, "by hyper");
    let endless = format!("GET / HTTP/1.1\r\n{}", "X-Field: a\r\n".repeat(50_000));
    for nonsense in ["\0\0\0\0", "\x16\x03\x01\x02\0\x01", "GET\r\n\r\n", "GET /live/ HTTP/1.1\r\n:\r\n\r\n", &endless]
    {
        let mut player = served.connect().await;
        // It may be closed before it has said all.
        let _ = player.0.write_all(nonsense.as_bytes()).await;
        let _ = player.0.get_mut().shutdown().await;
        player.rest().await;
    }
    player.ask(&file("video.m3u8")).await;
    assert!(["by hyper", "#EXTM3U\n"].contains(&player.hear_text().await.as_str()));
}

// RFC 9113 §3.3, §3.4
#[tokio::test]
async fn who_begins_with_http_2_is_answered_by_it() {
    /// Settings that are as they are, and a request of `/` (RFC 9113 §4.1; RFC 7541 appendix A).
    const REQUEST: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
        \0\0\0\x04\0\0\0\0\0\
        \0\0\x06\x01\x05\0\0\0\x01";
    let served = Served::new(PATIENCE);
    let mut player = served.connect().await;
    player.say(REQUEST).await;
    player.0.write_all(b"\x82\x86\x84\x41\x01a").await.unwrap();
    let mut heard = Vec::new();
    let page = async {
        while !heard.windows(6).any(|window| window == b"a page") {
            player.0.read_buf(&mut heard).await.unwrap();
        }
    };
    timeout(SOON, page).await.expect("the page comes");
    assert_eq!(heard[3], 4, "settings come first: {heard:?}");
    drop(player);
    served.all_are_gone().await;
}

#[tokio::test]
async fn connections_end_when_the_port_does() {
    let served = Served::new(PATIENCE);
    let mut connections = [served.connect().await, served.connect().await, served.connect().await];
    connections[1].ask("/").await;
    assert_eq!(connections[1].hear_text().await, "a page");
    connections[2].say("POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nwords").await;
    assert_eq!(connections[2].hear_text().await, "a form with words");
    served.door.stop();
    for connection in &mut connections {
        assert_eq!(connection.rest().await, 0);
    }
    served.all_are_gone().await;
    let refused = async {
        while TcpStream::connect(served.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, refused).await.expect("no new ones are taken");
}
