//! How somebody sounded, by numbers: the E-model (ITU-T G.107) with its default values.

use plane::LegStats;

/// What our own side adds to half the round trip: a frame, the mixer's tick, and twice the jitter in the buffer.
const OWN_DELAY_MS: f64 = 40.0;

/// R without any impairment of the line.
const R_BEST: f64 = 93.2;

/// How well lost packets are concealed: G.711 with concealment (ITU-T G.113 appendix I). There are no such figures for
/// Opus; it is reckoned alike, and with its forward error correction sounds better than that.
const LOSS_ROBUSTNESS: f64 = 25.1;

/// Mean opinion score of what came from him, from 1 (bad) to 4.5; none where nothing did.
pub(crate) fn mos(quality: &LegStats) -> Option<f64> {
    score(quality.lost, quality.received + quality.lost, quality.jitter_mean_ms, quality.round_trip_ms)
        .filter(|_| quality.received > 0)
}

/// The same of what he was sent, as he tells it; our own side's delay stands for his.
pub(crate) fn reported_mos(quality: &LegStats) -> Option<f64> {
    let reported = quality.reported?;
    score(reported.lost, reported.of, reported.jitter_ms, quality.round_trip_ms)
}

fn score(lost: u64, of: u64, jitter_ms: f64, round_trip_ms: Option<f64>) -> Option<f64> {
    if of == 0 {
        return None;
    }
    let loss = 100.0 * lost as f64 / of as f64;
    let delay = round_trip_ms.unwrap_or(0.0) / 2.0 + 2.0 * jitter_ms + OWN_DELAY_MS;
    // The usual linear form of Id: people begin to talk over each other from 177 ms on.
    let by_delay = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let by_loss = 95.0 * loss / (loss + LOSS_ROBUSTNESS);
    let r = (R_BEST - by_delay - by_loss).clamp(0.0, 100.0);
    Some((1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5))
}

#[cfg(test)]
mod tests {
    use plane::Reported;

    use super::*;

    fn heard(lost: u64, jitter_mean_ms: f64, round_trip_ms: f64) -> f64 {
        let quality = LegStats {
            received: 1_000 - lost,
            lost,
            jitter_mean_ms,
            round_trip_ms: Some(round_trip_ms),
            ..LegStats::default()
        };
        mos(&quality).unwrap()
    }

    // product: P9
    #[test]
    fn a_bad_line_is_scored_lower() {
        assert!((4.3..4.5).contains(&heard(0, 1.0, 20.0)), "{}", heard(0, 1.0, 20.0));
        assert!((3.6..4.0).contains(&heard(50, 5.0, 40.0)), "{}", heard(50, 5.0, 40.0));
        assert!(heard(200, 5.0, 40.0) < 2.9, "{}", heard(200, 5.0, 40.0));
        assert!(heard(0, 1.0, 800.0) < 3.6, "{}", heard(0, 1.0, 800.0));
        assert_eq!(mos(&LegStats::default()), None);
        // The other way by the same measure, where he tells.
        let reported = Reported { lost: 200, of: 1_000, jitter_ms: 5.0, reports: 4 };
        let quality = LegStats { round_trip_ms: Some(40.0), reported: Some(reported), ..LegStats::default() };
        assert_eq!((mos(&quality), reported_mos(&quality)), (None, Some(heard(200, 5.0, 40.0))));
        assert_eq!(reported_mos(&LegStats::default()), None);
    }
}
