//! Each test on both engines: SQLite in a file, PostgreSQL from Debian's package, started here.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use model::{
    AccountId, AccountRole, BookingMode, Demand, MeetingId, NoCapacity, ParticipantId, RoomId, SiteId, Span,
    check_title, span,
};

use super::*;

const SITE: SiteId = SiteId::from_u128(1);
const OWNER: AccountId = AccountId::from_u128(2);
const HOUR: i64 = 3_600_000;

/// A cluster of PostgreSQL that ends with this process.
struct Cluster {
    socket: PathBuf,
    databases: AtomicU32,
    /// Its standard input closes when this process ends, whichever way: the shell that reads it then stops the cluster.
    _shell: std::process::Child,
}

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("huitong-postgres-{}", std::process::id()));
    let script = format!(
        "set -e; cd /; bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
         $bin/initdb -D {0} -U postgres -A trust -E UTF8 --no-sync >&2
         $bin/pg_ctl -D {0} -w -s -o \"-h '' -k {0} -c fsync=off\" start >&2
         echo ready; read end || true
         $bin/pg_ctl -D {0} -m immediate -s stop; rm -rf {0}",
        folder.display()
    );
    // PostgreSQL refuses to be root.
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = if root { Command::new("runuser") } else { Command::new("sh") };
    if root {
        command.args(["-u", "postgres", "--", "sh"]);
    }
    let mut child = command
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut said).unwrap();
    assert_eq!(said, "ready\n", "PostgreSQL doesn't start; scripts/setup.sh test installs it");
    Cluster { socket: folder, databases: AtomicU32::new(0), _shell: child }
});

struct Engine {
    url: String,
    /// Where SQLite's file is.
    folder: Option<tempfile::TempDir>,
}

impl Engine {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display());
        Self { url, folder: Some(folder) }
    }

    async fn postgres() -> Self {
        let cluster = &*CLUSTER;
        let name = format!("test{}", cluster.databases.fetch_add(1, Ordering::Relaxed));
        let url =
            |database: &str| format!("postgres://postgres@localhost/{database}?host={}", cluster.socket.display());
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(1).connect(&url("postgres")).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
        Self { url: url(&name), folder: None }
    }

    async fn both() -> [Self; 2] {
        [Self::sqlite(), Self::postgres().await]
    }

    async fn open(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    /// With a site of 100 ports and one account.
    async fn with_site(&self) -> Store {
        let store = self.open().await;
        store.add_site(&site()).await.unwrap();
        store.add_account(&account(OWNER, "Host")).await.unwrap();
        store
    }
}

fn site() -> Site {
    Site { id: SITE, name: "演示".to_owned(), ports: 100, livestream: true, zone: "Asia/Shanghai".to_owned() }
}

fn account(id: AccountId, name: &str) -> Account {
    Account {
        id,
        site: SITE,
        name: name.to_owned(),
        display_name: "李雷".to_owned(),
        password_hash: "$argon2id$…".to_owned(),
        initial_password: true,
        role: AccountRole::Member,
        mode: BookingMode::Concurrent,
        capacity: 100,
        email: Some("lilei@example.com".to_owned()),
        mobile: None,
        avatar: None,
        disabled: false,
        version: 1,
    }
}

fn meeting(n: u128) -> Meeting {
    Meeting {
        id: MeetingId::from_u128(n),
        owner: OWNER,
        site: SITE,
        number: model::MeetingNumber::new(100_000_000 + n as u32).unwrap(),
        title: check_title(&format!("周会 {n}")).unwrap(),
        password: Some("123456".to_owned()),
        capacity: 60,
        mode: BookingMode::Concurrent,
        room: None,
        options: "{}".to_owned(),
        zone: "Asia/Shanghai".to_owned(),
        recurrence: None,
        start_ms: 0,
        duration_min: 60,
        early_start_min: 0,
        personal: false,
        created_ms: n as i64,
        version: 1,
    }
}

/// Starts at these hours, an hour each.
fn times(hours: &[i64]) -> Vec<(i64, Span)> {
    hours.iter().map(|hour| (hour * HOUR, span(hour * HOUR, 60, 0))).collect()
}

fn page(period: Period, search: &str, limit: u32) -> Page<'_> {
    Page { period, search, after: None, limit }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let booked = Meeting {
            room: Some(RoomId::from_u128(9)),
            recurrence: Some("FREQ=DAILY;COUNT=2".to_owned()),
            ..meeting(3)
        };
        store.book(&booked, Demand::Ports(60), &times(&[1, 25])).await.unwrap();
        store.book(&Meeting { password: None, ..meeting(4) }, Demand::Nothing, &times(&[2])).await.unwrap();
        store.close().await;

        let store = engine.open().await;
        let found = store.account_by_name("HOST").await.unwrap().unwrap();
        assert_eq!(found, Account { name: "host".to_owned(), ..account(OWNER, "host") });
        assert_eq!(store.site(SITE).await.unwrap(), Some(site()));
        assert_eq!(store.meeting_by_number(booked.number).await.unwrap(), Some(booked));
        assert_eq!(store.meeting(MeetingId::from_u128(4)).await.unwrap().unwrap().password, None);
        assert_eq!(store.meeting(MeetingId::from_u128(9)).await.unwrap(), None);
        let held = store.occurrences(MeetingId::from_u128(3)).await.unwrap();
        assert_eq!(held.iter().map(|o| o.start_ms / HOUR).collect::<Vec<_>>(), [1, 25]);
    }
}

#[tokio::test]
async fn names_and_numbers_are_taken_once() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let twice = store.add_account(&account(AccountId::from_u128(3), "HOST")).await;
        assert!(matches!(twice, Err(StoreError::Exists("account"))), "{twice:?}");
        store.book(&meeting(3), Demand::Nothing, &[]).await.unwrap();
        let twice = Meeting { id: MeetingId::from_u128(4), ..meeting(3) };
        let twice = store.book(&twice, Demand::Nothing, &[]).await;
        assert!(matches!(twice, Err(BookError::Store(StoreError::Exists("meeting")))), "{twice:?}");
    }
}

// product: S4
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn however_many_book_at_once_ports_and_rooms_are_never_oversold() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let room = RoomId::from_u128(7);
        let mut tasks = tokio::task::JoinSet::new();
        for n in 10..90u128 {
            let store = store.clone();
            tasks.spawn(async move {
                let demand = if n % 4 == 0 { Demand::Room(room) } else { Demand::Ports(9) };
                // All overlap at hour 5, half of them at hour 29 too.
                let hours: &[i64] = if n % 2 == 0 { &[5, 29] } else { &[5] };
                (demand, store.book(&meeting(n), demand, &times(hours)).await)
            });
        }
        let (mut ports, mut rooms) = (0, 0);
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                (Demand::Room(_), Ok(())) => rooms += 1,
                (Demand::Ports(n), Ok(())) => ports += n,
                (_, Ok(())) => unreachable!(),
                (_, Err(BookError::NoCapacity(_))) => {}
                (_, Err(error)) => panic!("{error:?}"),
            }
        }
        assert_eq!((ports, rooms), (99, 1), "as many as fit, and no more");
        let taken = store.taken(SITE, times(&[5])[0].1).await.unwrap();
        assert_eq!(taken.len(), 12, "who was refused has left nothing");
    }
}

// product: C14, S4
#[tokio::test]
async fn a_running_meeting_is_extended_and_enlarged_as_far_as_there_is_room() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let running = meeting(3);
        store.book(&running, Demand::Ports(60), &times(&[10])).await.unwrap();
        store.book(&meeting(4), Demand::Ports(50), &times(&[12])).await.unwrap();
        let now = 10 * HOUR + 1;
        store.set_end(&running, now, 12 * HOUR).await.unwrap();
        let refused = store.set_end(&running, now, 12 * HOUR + HOUR / 2).await;
        assert!(matches!(refused, Err(BookError::NoCapacity(NoCapacity::Ports { free: 50, .. }))), "{refused:?}");
        store.set_ports(&running, now, 100).await.unwrap();
        let refused = store.set_ports(&running, now, 101).await;
        assert!(matches!(refused, Err(BookError::NoCapacity(NoCapacity::Ports { free: 100, .. }))), "{refused:?}");
        // Over before its time: what it had is free.
        store.set_end(&running, now, now).await.unwrap();
        assert!(store.taken(SITE, Span { from_ms: now, until_ms: 12 * HOUR }).await.unwrap().is_empty());
        assert!(matches!(store.set_end(&running, now, now + HOUR).await, Err(BookError::Missing)));
    }
}

// product: C14, S4
#[tokio::test]
async fn an_extension_asks_for_the_added_time_alone() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let running = meeting(3);
        let (from_ms, until_ms) = (10 * HOUR, 12 * HOUR);
        store.book(&running, Demand::Ports(50), &[(from_ms, Span { from_ms, until_ms })]).await.unwrap();
        store.book(&meeting(4), Demand::Ports(50), &times(&[10])).await.unwrap();
        let now = 11 * HOUR + 1;
        store.set_ports(&running, now, 100).await.unwrap();
        store.set_end(&running, now, until_ms + HOUR / 2).await.unwrap();
    }
}

// product: S4, C14
#[tokio::test]
async fn what_runs_takes_what_is_written_where_there_is_room_for_it() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        store.book(&meeting(3), Demand::Ports(10), &times(&[10, 34])).await.unwrap();
        store.book(&meeting(4), Demand::Ports(60), &times(&[10])).await.unwrap();
        let now = 10 * HOUR + 1;
        let rebook = async |ports: u32, running: Running| {
            let known = store.meeting(meeting(3).id).await.unwrap().unwrap();
            store.rebook(&known, Demand::Ports(ports), &times(&[10, 34]), now, true, running).await
        };
        let taken = async || {
            let taken = store.taken(SITE, Span { from_ms: 0, until_ms: 100 * HOUR }).await.unwrap();
            let own = taken.into_iter().filter(|taken| taken.meeting == meeting(3).id);
            let mut own: Vec<_> = own.map(|taken| (taken.span.from_ms / HOUR, taken.demand)).collect();
            own.sort_by_key(|(from, _)| *from);
            own
        };
        rebook(20, Running::Stays).await.unwrap();
        assert_eq!(taken().await, [(10, Demand::Ports(10)), (34, Demand::Ports(20))]);
        rebook(40, Running::Takes).await.unwrap();
        assert_eq!(taken().await, [(10, Demand::Ports(40)), (34, Demand::Ports(40))]);
        let refused = rebook(41, Running::Takes).await;
        assert!(matches!(refused, Err(BookError::NoCapacity(NoCapacity::Ports { free: 40, .. }))), "{refused:?}");
        assert_eq!(taken().await, [(10, Demand::Ports(40)), (34, Demand::Ports(40))], "all or nothing");
    }
}

// product: S5, S6
#[tokio::test]
async fn one_time_or_all_can_be_moved_and_cancelled() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let series = meeting(3);
        let room = RoomId::from_u128(7);
        store.book(&series, Demand::Room(room), &times(&[10, 34, 58])).await.unwrap();
        store.book(&meeting(4), Demand::Room(room), &times(&[12])).await.unwrap();
        let to = |hour: i64| Change {
            start_ms: hour * HOUR,
            span: times(&[hour])[0].1,
            demand: Demand::Room(room),
            title: None,
            own: None,
        };
        let refused = store.change_occurrence(&series, 10 * HOUR, Some(&to(12))).await;
        assert!(matches!(refused, Err(BookError::NoCapacity(NoCapacity::RoomTaken(_)))), "{refused:?}");
        store.change_occurrence(&series, 10 * HOUR, Some(&to(11))).await.unwrap();
        store.change_occurrence(&series, 34 * HOUR, None).await.unwrap();
        let held = store.occurrences(series.id).await.unwrap();
        assert_eq!(
            held.iter().map(|o| (o.original_ms / HOUR, o.start_ms / HOUR)).collect::<Vec<_>>(),
            [(10, 11), (58, 58)]
        );

        let stale = store.rebook(&series, Demand::Room(room), &times(&[80]), 40 * HOUR, false, Running::Stays).await;
        assert!(matches!(stale, Err(BookError::Changed)), "{stale:?}");
        let fresh = Meeting { title: "月会".to_owned(), ..store.meeting(series.id).await.unwrap().unwrap() };
        store.rebook(&fresh, Demand::Room(room), &times(&[80]), 40 * HOUR, false, Running::Stays).await.unwrap();
        let held = store.occurrences(series.id).await.unwrap();
        assert_eq!(held.iter().map(|o| o.start_ms / HOUR).collect::<Vec<_>>(), [11, 80], "what was held stays");

        // What was changed of one time outlasts a change of the rest, and what it takes still counts.
        let kept = Change { own: Some("{}".to_owned()), title: Some("茶会".to_owned()), ..to(82) };
        store.change_occurrence(&series, 80 * HOUR, Some(&kept)).await.unwrap();
        let fresh = store.meeting(series.id).await.unwrap().unwrap();
        let onto_own =
            store.rebook(&fresh, Demand::Room(room), &times(&[80, 82]), 40 * HOUR, true, Running::Stays).await;
        assert!(matches!(onto_own, Err(BookError::NoCapacity(NoCapacity::RoomTaken(_)))), "{onto_own:?}");
        store.rebook(&fresh, Demand::Room(room), &times(&[80, 90]), 40 * HOUR, true, Running::Stays).await.unwrap();
        let held = store.occurrences(series.id).await.unwrap();
        let own: Vec<_> = held.iter().map(|o| (o.start_ms / HOUR, o.title.as_deref())).collect();
        assert_eq!(own, [(11, None), (82, Some("茶会")), (90, None)]);
        let found = store.meetings_of(OWNER, 40 * HOUR, &page(Period::Upcoming, "茶", 9)).await.unwrap();
        assert_eq!(found.len(), 1, "it is found by its own topic");
        let fresh = store.meeting(series.id).await.unwrap().unwrap();
        store.rebook(&fresh, Demand::Room(room), &times(&[80]), 40 * HOUR, false, Running::Stays).await.unwrap();

        assert!(store.delete_meeting(series.id, 40 * HOUR).await.unwrap());
        assert_eq!(store.meeting(series.id).await.unwrap(), None);
        assert!(store.taken(SITE, times(&[80])[0].1).await.unwrap().is_empty());
        store.restore_meeting(&fresh, Demand::Room(room), &times(&[80])).await.unwrap();
        assert_eq!(store.taken(SITE, times(&[80])[0].1).await.unwrap().len(), 1);
    }
}

// product: S6
#[tokio::test]
async fn a_list_has_pages_and_is_searched() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        for n in 10..20 {
            store.book(&meeting(n), Demand::Nothing, &times(&[n as i64])).await.unwrap();
        }
        let now = 15 * HOUR;
        let starts =
            |found: Vec<(Meeting, Occurrence)>| found.iter().map(|(_, o)| o.start_ms / HOUR).collect::<Vec<_>>();
        let found = store.meetings_of(OWNER, now, &page(Period::Upcoming, "", 3)).await.unwrap();
        assert_eq!(starts(found.clone()), [15, 16, 17]);
        let after = found.last().map(|(meeting, o)| (o.start_ms, meeting.id));
        let next = store.meetings_of(OWNER, now, &Page { after, ..page(Period::Upcoming, "", 3) }).await.unwrap();
        assert_eq!(starts(next), [18, 19]);
        assert_eq!(starts(store.meetings_of(OWNER, now, &page(Period::Past, "", 2)).await.unwrap()), [14, 13]);
        assert_eq!(starts(store.meetings_of(OWNER, now, &page(Period::Upcoming, "会 17", 9)).await.unwrap()), [17]);
        assert_eq!(
            starts(store.meetings_of(OWNER, now, &page(Period::Upcoming, "100 000 018", 9)).await.unwrap()),
            [18]
        );
        assert!(store.meetings_of(OWNER, now, &page(Period::Upcoming, "%", 9)).await.unwrap().is_empty());
    }
}

// product: L7, L6
#[tokio::test]
async fn a_session_ends_by_logout_by_time_and_by_a_new_password() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        for token in ["a", "b", "c", "d"] {
            store.add_session(token, OWNER, 0, 1_000).await.unwrap();
        }
        let is_open = async |token: &str, now| store.account_by_session(token, now).await.unwrap().is_some();
        assert!(is_open("a", 999).await && !is_open("a", 1_000).await);
        store.remove_session("b").await.unwrap();
        assert!(!is_open("b", 0).await);
        store.remove_sessions(OWNER, "c").await.unwrap();
        assert!(is_open("c", 0).await && !is_open("d", 0).await);
        let off = Account { disabled: true, ..store.account(OWNER).await.unwrap().unwrap() };
        assert!(store.set_account(&off).await.unwrap());
        assert!(!is_open("c", 0).await, "who may not log in has no session either");
        assert!(!store.set_account(&off).await.unwrap(), "it has changed meanwhile");
    }
}

// product: L3
#[tokio::test]
async fn a_way_to_a_new_password_works_once_and_not_for_ever() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let reset = Reset { account: OWNER, expires_ms: 1_000, tries: 0 };
        store.add_reset("a", &reset).await.unwrap();
        store.add_reset("b", &reset).await.unwrap();
        assert_eq!(store.take_reset("a", 0).await.unwrap(), None, "a later one takes its place");
        assert_eq!(store.take_reset("b", 1_000).await.unwrap(), None, "too late");
        assert_eq!(store.take_reset("b", 999).await.unwrap(), Some(OWNER));
        assert_eq!(store.take_reset("b", 999).await.unwrap(), None);
        store.add_reset("c", &reset).await.unwrap();
        for _ in 0..5 {
            store.note_wrong_reset(OWNER, 5).await.unwrap();
        }
        assert_eq!(store.take_reset("c", 0).await.unwrap(), None, "guessed at too often");
    }
}

#[tokio::test]
async fn what_is_to_be_sent_is_taken_by_one_and_left_by_the_dead() {
    for engine in Engine::both().await {
        let store = engine.open().await;
        let item = OutboxItem {
            id: "1".to_owned(),
            kind: "email".to_owned(),
            message: "{}".to_owned(),
            attempts: 0,
            created_ms: 5,
        };
        store.send(std::slice::from_ref(&item)).await.unwrap();
        assert!(store.take_due(4, 100, 9).await.unwrap().is_empty());
        assert_eq!(store.take_due(5, 100, 9).await.unwrap(), [item]);
        assert!(store.take_due(104, 100, 9).await.unwrap().is_empty(), "somebody is at it");
        assert_eq!(store.take_due(105, 100, 9).await.unwrap()[0].attempts, 1, "who has died");
        store.put_off("1", 500, "refused").await.unwrap();
        assert!(store.take_due(499, 100, 9).await.unwrap().is_empty());
        store.remove_item("1").await.unwrap();
        assert!(store.take_due(900, 100, 9).await.unwrap().is_empty());
    }
}

// product: S9
#[tokio::test]
async fn people_are_reminded_once_and_again_where_it_was_moved() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let booked = meeting(3);
        store.book(&booked, Demand::Ports(10), &times(&[10, 20])).await.unwrap();
        let late = Meeting { created_ms: 10 * HOUR - 60_000, ..meeting(4) };
        store.book(&late, Demand::Ports(10), &times(&[10])).await.unwrap();
        let ahead = HOUR / 4;
        let due = async |now_ms| store.due_reminders(now_ms, ahead, 9).await.unwrap();
        assert!(due(10 * HOUR - ahead - 1).await.is_empty());
        let found = due(10 * HOUR - ahead).await;
        assert_eq!(found.len(), 1, "who booked it a minute before knows: {found:?}");
        let (found, held) = &found[0];
        assert_eq!((found.id, held.start_ms), (booked.id, 10 * HOUR));
        let item = |id: &str| OutboxItem {
            id: id.to_owned(),
            kind: "email".to_owned(),
            message: "{}".to_owned(),
            attempts: 0,
            created_ms: 5,
        };
        store.remind(held, &[item("1")]).await.unwrap();
        store.remind(held, &[item("2")]).await.unwrap();
        let sent: Vec<_> = store.take_due(5, 100, 9).await.unwrap().into_iter().map(|item| item.id).collect();
        assert_eq!(sent, ["1"], "two servers remind once");
        assert!(due(10 * HOUR - ahead).await.is_empty());
        let to = Change {
            start_ms: 15 * HOUR,
            span: span(15 * HOUR, 60, 0),
            demand: Demand::Ports(10),
            title: None,
            own: None,
        };
        store.change_occurrence(&booked, 10 * HOUR, Some(&to)).await.unwrap();
        assert_eq!(due(15 * HOUR - ahead).await.len(), 1);
        assert_eq!(store.ports_at(booked.id, 15 * HOUR).await.unwrap(), Some(10));
        assert_eq!(store.ports_at(booked.id, 12 * HOUR).await.unwrap(), None);
    }
}

// product: P1
#[tokio::test]
async fn a_callers_language_is_kept_for_a_year() {
    for engine in Engine::both().await {
        let store = engine.open().await;
        let language = async |caller| store.caller_languages(&[caller]).await.unwrap().remove(caller);
        assert_eq!(language("a").await, None);
        store.keep_caller_language("a", "zh-CN", 0).await.unwrap();
        store.keep_caller_language("a", "en-US", HOUR).await.unwrap();
        store.keep_caller_language("b", "zh-CN", 2 * HOUR).await.unwrap();
        assert_eq!(language("a").await.as_deref(), Some("en-US"));
        assert_eq!(store.caller_languages(&["c", "b", "a"]).await.unwrap().len(), 2, "all who have one");
        store.keep_caller_language("b", "zh-CN", 367 * 24 * HOUR).await.unwrap();
        assert_eq!(language("a").await, None, "he hasn't called for a year");
        assert_eq!(language("b").await.as_deref(), Some("zh-CN"));
    }
}

// product: S9
#[tokio::test]
async fn a_screen_shows_what_begins_soon_of_ones_own_and_what_one_was_invited_to() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let guest = AccountId::from_u128(77);
        store.book(&meeting(3), Demand::Ports(10), &times(&[10, 20])).await.unwrap();
        let late = Meeting { created_ms: 10 * HOUR - 60_000, ..meeting(4) };
        store.book(&late, Demand::Ports(10), &times(&[10])).await.unwrap();
        for n in [3, 4] {
            let invitation = Invitation {
                id: n.to_string(),
                meeting: MeetingId::from_u128(n),
                kind: "email".to_owned(),
                address: "Lucy@example.com".to_owned(),
                language: "zh".to_owned(),
                sequence: 0,
            };
            store.add_invitation(&invitation, 0).await.unwrap();
        }
        let shown = async |who, site, email, now_ms: i64| -> Vec<u128> {
            let begins = Span { from_ms: now_ms - 5 * 60_000, until_ms: now_ms + HOUR / 4 };
            let found = store.reminders_for(who, site, email, begins, HOUR / 4).await.unwrap();
            found.iter().map(|(meeting, _)| meeting.id.uuid().as_u128()).collect()
        };
        let (soon, other_site) = (10 * HOUR - HOUR / 4, SiteId::from_u128(99));
        assert_eq!(shown(OWNER, SITE, "", soon).await, [3], "who booked it a minute before knows");
        assert_eq!(shown(guest, SITE, "lucy@example.com", soon).await, [3, 4]);
        assert!(shown(guest, other_site, "lucy@example.com", soon).await.is_empty());
        assert!(shown(guest, SITE, "", soon).await.is_empty());
        assert!(shown(OWNER, SITE, "", soon - 1).await.is_empty(), "too early");
        assert_eq!(shown(OWNER, SITE, "", 10 * HOUR + 299_999).await, [3], "a little late");
        assert!(shown(OWNER, SITE, "", 10 * HOUR + 300_000).await.is_empty());
    }
}

// product: L8
#[tokio::test]
async fn a_person_of_another_provider_is_one_account_for_ever() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let lucy = account(AccountId::from_u128(77), "lucy");
        store.add_account_of(&lucy, "https://sso", "subject", 1).await.unwrap();
        assert_eq!(store.account_by_identity("https://sso", "subject").await.unwrap().unwrap().id, lucy.id);
        assert!(store.account_by_identity("https://other", "subject").await.unwrap().is_none());
        let again = account(AccountId::from_u128(78), "lucy");
        assert!(matches!(store.add_account_of(&again, "https://sso", "2", 1).await, Err(StoreError::Exists(_))));
        assert!(store.account_by_identity("https://sso", "2").await.unwrap().is_none(), "all or nothing");
        store.add_identity(OWNER, "https://sso", "3", 1).await.unwrap();
        assert_eq!(store.account_by_identity("https://sso", "3").await.unwrap().unwrap().id, OWNER);
        assert_eq!(store.site_by_name("演示").await.unwrap().unwrap().id, SITE);
    }
}

// product: S4
#[tokio::test]
async fn what_is_taken_twice_is_found() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        store.book(&meeting(3), Demand::Ports(60), &times(&[10])).await.unwrap();
        store.book(&meeting(4), Demand::Ports(40), &times(&[10])).await.unwrap();
        assert!(store.oversold(0).await.unwrap().is_empty());
        store.set_site(&Site { ports: 99, ..site() }).await.unwrap();
        let found = store.oversold(0).await.unwrap();
        assert!(matches!(found[..], [(_, NoCapacity::Ports { .. })]), "{found:?}");
        assert!(store.oversold(12 * HOUR).await.unwrap().is_empty(), "what is over is over");
    }
}

#[tokio::test]
async fn a_repeated_request_has_its_first_answer() {
    for engine in Engine::both().await {
        let store = engine.open().await;
        let answer = |body: &str| Answer { request_sha256: "x".to_owned(), status: 201, body: body.to_owned() };
        store.keep_answer(OWNER, "k", &answer("1"), 0).await.unwrap();
        store.keep_answer(OWNER, "k", &answer("2"), 1).await.unwrap();
        assert_eq!(store.answer(OWNER, "k").await.unwrap(), Some(answer("1")));
        store.keep_answer(OWNER, "other", &answer("3"), 48 * HOUR).await.unwrap();
        assert_eq!(store.answer(OWNER, "k").await.unwrap(), None, "a day later it is forgotten");
    }
}

#[tokio::test]
async fn invitations_webhooks_rooms_and_the_log_are_kept() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        store.book(&meeting(3), Demand::Nothing, &[]).await.unwrap();
        let invitation = Invitation {
            id: "i".to_owned(),
            meeting: MeetingId::from_u128(3),
            kind: "email".to_owned(),
            address: "a@example.com".to_owned(),
            language: "zh".to_owned(),
            sequence: 0,
        };
        store.add_invitation(&invitation, 0).await.unwrap();
        assert_eq!(store.next_sequence("i").await.unwrap(), 1);
        assert_eq!(
            store.invitations(MeetingId::from_u128(3)).await.unwrap(),
            [Invitation { sequence: 1, ..invitation }]
        );

        let webhook = Webhook {
            id: "w".to_owned(),
            site: SITE,
            url: "https://example.com/".to_owned(),
            secret: "s".to_owned(),
            events: vec!["meeting.started".to_owned()],
            created_ms: 1,
        };
        store.add_webhook(&webhook).await.unwrap();
        assert_eq!(store.webhooks(SITE).await.unwrap(), [webhook]);
        assert!(!store.remove_webhook(SiteId::from_u128(8), "w").await.unwrap(), "not of that site");
        assert!(store.remove_webhook(SITE, "w").await.unwrap());

        let room =
            |n: u128, capacity| Room { id: RoomId::from_u128(n), site: SITE, name: format!("room {n}"), capacity };
        store.add_room(&room(1, 50)).await.unwrap();
        store.add_room(&room(2, 20)).await.unwrap();
        assert_eq!(store.rooms(SITE).await.unwrap(), [room(2, 20), room(1, 50)]);
        assert_eq!(store.room(RoomId::from_u128(1)).await.unwrap(), Some(room(1, 50)));

        let entry = |id: &str| AuditEntry {
            id: id.to_owned(),
            site: SITE,
            at_ms: 1,
            account: Some(OWNER),
            action: "meeting.delete".to_owned(),
            object: "meeting 3".to_owned(),
        };
        for id in ["01", "02", "03"] {
            store.note(&entry(id)).await.unwrap();
        }
        assert_eq!(store.audit(SITE, None, 2).await.unwrap(), [entry("03"), entry("02")]);
        assert_eq!(store.audit(SITE, Some("02"), 2).await.unwrap(), [entry("01")]);
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_a_backup_is_whole() {
    let engine = Engine::sqlite();
    let store = engine.with_site().await;
    let folder = engine.folder.as_ref().unwrap().path();
    store.backup(&folder.join("backup.db")).await.unwrap();
    store.check_all().await.unwrap();
    store.close().await;
    let path = folder.join("test.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // All pages but the first two, which hold the schema.
    bytes[2 * 4096..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    assert!(Store::open(&engine.url).await.is_err());
    let backup = Store::open(&format!("sqlite://{}", folder.join("backup.db").display())).await.unwrap();
    assert_eq!(backup.site(SITE).await.unwrap(), Some(site()));
}

#[tokio::test]
async fn a_database_of_another_kind_is_refused() {
    let refused = Store::open("mysql://nowhere").await;
    assert!(matches!(refused, Err(StoreError::Address(_) | StoreError::Database(_))));
}

// product: P9
#[tokio::test]
async fn calls_and_stays_are_read_as_they_were_written() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let call = |n: u128, kind| Call {
            id: uuid::Uuid::from_u128(n).to_string(),
            kind,
            participant: Some(ParticipantId::from_u128(7)),
            name: "李雷".to_owned(),
            site: Some(SITE),
            meeting: Some(MeetingId::from_u128(3)),
            outgoing: true,
            number: "138****5678".to_owned(),
            call_id: "a@b".to_owned(),
            codec: "G722".to_owned(),
            started_ms: 1,
            answered_ms: Some(2),
            ended_ms: 3,
            cost: 4,
            cause: "hung_up".to_owned(),
            received: 5,
            lost: 6,
            sent: 7,
            jitter_ms: 8.5,
            round_trip_ms: Some(0.0),
            mos: Some(4.1),
            echo_db: Some(12.5),
            one_way: Some("silent".to_owned()),
            reported_lost: Some(0),
            reported_jitter_ms: Some(0.5),
            reported_mos: Some(3.2),
        };
        let plain = Call {
            participant: None,
            outgoing: false,
            answered_ms: None,
            round_trip_ms: None,
            mos: None,
            echo_db: None,
            one_way: None,
            reported_lost: None,
            reported_jitter_ms: None,
            reported_mos: None,
            ..call(1, CallKind::Phone)
        };
        // More than go into one statement.
        let mut calls = vec![plain, call(2, CallKind::Web)];
        calls.extend((3..60).map(|n| call(n, CallKind::Phone)));
        store.add_calls(&calls).await.unwrap();
        for written in &calls[..3] {
            assert_eq!(store.call(&written.id).await.unwrap().as_ref(), Some(written));
        }
        calls.reverse();
        assert_eq!(store.calls(Some(SITE), None, None, 100).await.unwrap(), calls);
        let before = calls[55].id.as_str();
        assert_eq!(store.calls(Some(SITE), Some(CallKind::Phone), Some(before), 1).await.unwrap(), [calls[56].clone()]);
        assert_eq!(store.calls(Some(SITE), Some(CallKind::Web), None, 9).await.unwrap(), [calls[57].clone()]);
        assert_eq!(store.calls(None, None, None, 9).await.unwrap(), []);
    }
}

#[tokio::test]
async fn where_telephones_are_is_kept_until_it_is_over() {
    for engine in Engine::both().await {
        let store = engine.with_site().await;
        let place = |uri: &str, expires_ms| Registration {
            uri: uri.to_owned(),
            peer: "192.0.2.7:5062".parse().unwrap(),
            local: "[2001:db8::1]:5060".parse().unwrap(),
            expires_ms,
            path: vec!["<sip:edge.example.org;lr>".to_owned(), "<sip:core.example.org;lr>".to_owned()],
        };
        let (desk, pocket) = (place("sip:8001@192.0.2.7:5062", 2_000), place("sip:8001@192.0.2.8", 1_000));
        store.set_registrations("8001", &[desk.clone(), pocket]).await.unwrap();
        store.set_registrations("8002", &[place("sip:8002@192.0.2.9", 3_000)]).await.unwrap();
        store.set_registrations("8002", &[]).await.unwrap();
        assert_eq!(store.registrations(1_000).await.unwrap(), [("8001".to_owned(), desk)]);
        assert_eq!(store.registrations(2_000).await.unwrap(), []);
    }
}
