//! Tones for tests and benches, and how strongly a sound carries one.

use std::f32::consts::TAU;

/// A sine of full-scale amplitude `amplitude`.
#[must_use]
pub fn sine(hz: f32, amplitude: f32, rate: u32, samples: usize) -> Vec<f32> {
    (0..samples).map(|n| amplitude * (TAU * hz * n as f32 / rate as f32).sin()).collect()
}

/// The amplitude of the tone of `hz` in a sound (one bin of a Fourier transform, Hann window).
#[must_use]
pub fn amplitude(samples: &[f32], hz: f32, rate: u32) -> f32 {
    let step = f64::from(TAU) * f64::from(hz) / f64::from(rate);
    let (mut cos, mut sin, mut weight) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (f64::from(TAU) * (n as f64 + 0.5) / samples.len() as f64).cos();
        cos += f64::from(*sample) * window * (step * n as f64).cos();
        sin += f64::from(*sample) * window * (step * n as f64).sin();
        weight += window;
    }
    (2.0 * cos.hypot(sin) / weight) as f32
}
