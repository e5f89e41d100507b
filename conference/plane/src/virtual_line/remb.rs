//! A viewer who says what his line carries of his pictures (REMB), as aiortc and older browsers do: by how what he is sent comes, and
//! by nothing else. He follows draft-ietf-rmcat-gcc-02 §5.5 in the receiver's place.

use std::collections::{BTreeSet, VecDeque};

use super::*;

/// He says it so often, and at each packet while a queue grows.
const SAID_EVERY: Duration = Duration::from_millis(500);
/// What comes is measured over so long, and he says nothing of a line without a queue before he has measured so long.
const MEASURED: Duration = Duration::from_secs(1);
const BEGINS_AFTER: Duration = Duration::from_secs(3);
/// A queue grows, or drains, where packets wait so much longer than so long ago, or shorter.
const GROWS: Duration = Duration::from_millis(12);
const GROWS_WITHIN: Duration = Duration::from_millis(150);

/// What a busy machine does to who looks at packets when it lets him.
const LATE: Duration = Duration::from_millis(8);

/// RTP's header with extensions, and the cipher's tag.
const AROUND: usize = 36;
/// By which voices are sent.
const OPUS: u8 = 111;

#[derive(Clone, Copy)]
struct Packet {
    arrives: Instant,
    waited: Duration,
    bytes: usize,
    ssrc: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Hold,
    Increase,
}

/// What he knows of his line.
pub(super) struct Receiver {
    on_the_way: VecDeque<Packet>,
    came: VecDeque<Packet>,
    ssrcs: BTreeSet<u32>,
    /// Bits per second, once he has measured.
    rate: Option<f64>,
    began: Option<Instant>,
    changed: Instant,
    said: Instant,
    state: State,
    /// What came, in kbit/s, when a queue last grew.
    full: Option<f64>,
    /// So much later, at most, he looks at what has come: his machine has other things to do.
    late: Duration,
    random: u64,
}

impl Receiver {
    fn new(late: Duration, now: Instant) -> Self {
        Self {
            late,
            random: 1,
            on_the_way: VecDeque::new(),
            came: VecDeque::new(),
            ssrcs: BTreeSet::new(),
            rate: None,
            began: None,
            changed: now,
            said: now,
            state: State::Hold,
            full: None,
        }
    }

    /// Something is on its way to him, for so long beyond what the way takes.
    pub(super) fn expect(&mut self, datagram: &[u8], arrives: Instant, waited: Duration) {
        let &[first, kind, _, _, _, _, _, _, a, b, c, d, ..] = datagram else { return };
        if (128..=191).contains(&first) && !(192..=223).contains(&kind) && kind & 0x7f != OPUS {
            let bytes = datagram.len().saturating_sub(AROUND);
            let late = self.late * per_mille(&mut self.random) as u32 / 1_000;
            let (arrives, waited) = (arrives + late, waited + late);
            self.on_the_way.push_back(Packet { arrives, waited, bytes, ssrc: u32::from_be_bytes([a, b, c, d]) });
        }
    }

    /// What he says by now, in bits per second.
    fn take(&mut self, now: Instant) -> Option<u32> {
        let mut said = None;
        while let Some(packet) = self.on_the_way.pop_front_if(|packet| packet.arrives <= now) {
            self.ssrcs.insert(packet.ssrc);
            self.came.push_back(packet);
            self.began.get_or_insert(now);
            while self.came.pop_front_if(|old| old.arrives + MEASURED < now).is_some() {}
            let lately = self.came.iter().rev().take_while(|other| other.arrives + GROWS_WITHIN > now);
            let waits: Vec<_> = lately.map(|other| other.waited).collect();
            let (least, most) = (waits.iter().min()?, waits.iter().max()?);
            let (grows, drains) = (packet.waited > *least + GROWS, packet.waited + GROWS < *most);
            if grows || now.duration_since(self.said) > SAID_EVERY {
                said = self.look(grows, drains, now).or(said);
            }
        }
        said
    }

    fn look(&mut self, grows: bool, drains: bool, now: Instant) -> Option<u32> {
        let over = now.duration_since(self.came.front()?.arrives).as_secs_f64().max(0.001);
        let comes = self.came.iter().map(|packet| packet.bytes).sum::<usize>() as f64 * 8.0 / over;
        if self.rate.is_none() && !grows && now.duration_since(self.began?) < BEGINS_AFTER {
            return None;
        }
        let rate = self.rate.unwrap_or(comes);
        let seconds = now.duration_since(self.changed).as_secs_f64().min(1.0);
        let kbit = comes / 1e3;
        let wanders = |full: f64| 3.0 * (2.5 * full).sqrt();
        let rate = if grows {
            let full = self.full.filter(|full| kbit >= full - wanders(*full));
            self.full = Some(full.map_or(kbit, |full| 0.95 * full + 0.05 * kbit));
            (self.state, self.changed) = (State::Hold, now);
            (0.85 * comes).round()
        } else if drains {
            self.state = State::Hold;
            rate
        } else if self.state == State::Hold {
            (self.state, self.changed) = (State::Increase, now);
            rate
        } else {
            self.changed = now;
            self.full = self.full.filter(|full| kbit < full + wanders(*full));
            let more = if self.full.is_some() {
                let picture = rate / 30.0;
                let packet = picture / (picture / 9_600.0).ceil().max(1.0);
                seconds * (packet / 0.3).max(4_000.0)
            } else {
                ((1.08_f64.powf(seconds) - 1.0) * rate).max(1_000.0)
            };
            (rate + more).min((1.5 * comes + 10_000.0).max(rate))
        };
        (self.rate, self.said) = (Some(rate), now);
        Some(rate as u32)
    }
}

impl World {
    /// The viewer says what his line carries and knows nothing of transport-wide feedback.
    fn with_bounds() -> Self {
        Self::with_late_bounds(Duration::ZERO)
    }

    /// The same, and he looks at what comes so much later at most.
    fn with_late_bounds(late: Duration) -> Self {
        let mut world = Self::without_arrivals();
        world.receiver = Some(Receiver::new(late, world.now));
        world
    }

    /// He says what there is to say.
    pub(super) fn say_what_comes(&mut self) {
        let Some(receiver) = &mut self.receiver else { return };
        let Some(bitrate) = receiver.take(self.now) else { return };
        let ssrcs: Vec<_> = receiver.ssrcs.iter().copied().collect();
        self.say_bound(bitrate, &ssrcs);
    }
}

/// A line that is wide, then carries so much, then is wide again; how soon the smallest and the largest picture came.
fn narrowed(world: &mut World, width: u64) -> (u64, u64) {
    world.show(720);
    world.until(2, 1_000);
    let seen = world.run(8_000);
    assert!(seen.layers[2] >= 5 * 235 && seen.layers[..2] == [0, 0], "on a good line: {seen:?}");
    world.width = Some(width);
    let smaller = world.until(0, 5_000);
    world.run(3_000);
    let seen = world.run(20_000);
    println!("{width}: the small layer came after {smaller} ms; layers {:?}, {} voices", seen.layers, seen.voices);
    assert!(seen.layers[0] >= 480 && seen.layers[2] == 0 && seen.voices >= 950, "{seen:?}");
    world.width = None;
    let larger = world.until(2, 120_000);
    println!("the largest layer came back after {larger} ms");
    (smaller, larger)
}

// draft-alvestrand-rmcat-remb-03
#[test]
fn who_says_what_comes_sees_the_small_picture_on_a_narrow_line_and_the_large_one_on_a_good_one() {
    for width in [250_000, 300_000, 350_000] {
        let (smaller, larger) = narrowed(&mut World::with_bounds(), width);
        assert!(smaller < 2_000 && larger < 90_000, "{width}: {smaller} ms, {larger} ms");
    }
}

#[test]
fn noise_over_a_narrow_line_is_seen_small_by_who_says_what_comes() {
    for (late, after) in (0..16).map(|after| ([Duration::ZERO, LATE][after % 2], after as u64)) {
        let mut world = World::with_late_bounds(late);
        world.scene = NOISE;
        world.show(720);
        world.until(2, 1_000);
        world.run(3_000);
        let seen = world.run(5_000 + 70 * after);
        assert!(seen.layers[..2] == [0, 0], "on a good line: {seen:?}");
        world.width = Some(300_000);
        let smaller = world.until(0, 5_000);
        world.run(4_000);
        let seen = world.run(30_000);
        let (film, all) = (seen.film(), seen.published.len());
        println!("after {smaller} ms; layers {:?}, {} voices; {film:?} of {all}", seen.layers, seen.voices);
        assert!(smaller < 2_500, "{smaller} ms");
        assert!(film.longest < Duration::from_millis(400) && film.decoded * 100 >= all * 95, "{film:?} of {all}");
        assert!(seen.layers[1..] == [0, 0] && seen.voices >= 1_490, "{seen:?}");
        world.width = None;
        let larger = world.until(2, 90_000);
        println!("the largest layer came back after {larger} ms");
    }
}

#[test]
fn who_comes_by_a_narrow_line_sees_the_small_picture() {
    let mut world = World::with_bounds();
    world.width = Some(300_000);
    world.show(720);
    world.run(8_000);
    let seen = world.run(10_000);
    println!("layers {:?}, {} voices", seen.layers, seen.voices);
    assert!(seen.layers[0] >= 240 && seen.layers[2] == 0 && seen.voices >= 475, "{seen:?}");
}
