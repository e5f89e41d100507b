//! How unevenly packets come (RFC 3550 §6.4.1).

/// Interarrival jitter, in the unit its deviations have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Jitter {
    running: f64,
    sum: f64,
    count: u64,
}

impl Jitter {
    /// How much further apart two packets came than they were sent, or less far; its sign doesn't count.
    pub fn add(&mut self, deviation: f64) {
        let deviation = deviation.abs();
        self.running += (deviation - self.running) / 16.0;
        (self.sum, self.count) = (self.sum + deviation, self.count + 1);
    }

    /// Of the latest packets.
    #[must_use]
    pub fn running(self) -> f64 {
        self.running
    }

    /// Over all of them.
    #[must_use]
    pub fn mean(self) -> f64 {
        self.sum / self.count.max(1) as f64
    }
}
