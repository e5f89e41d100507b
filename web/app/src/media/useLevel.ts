import { useEffect, useState } from 'react';

/** How often the meter moves: as fluent as it needs to be. */
const INTERVAL_MS = 80;

/** What a quiet room has, in decibels of full scale, and what a loud voice has: the two ends of the meter. */
const FLOOR = -60;
const CEILING = -12;

/** A microphone's level from 0 to 1. */
export function useLevel(track: MediaStreamTrack | null): number {
  const [level, setLevel] = useState(0);
  useEffect(() => {
    if (!track) return;
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      setLevel(meter(samples));
    }, INTERVAL_MS);
    // Browsers keep sound still until somebody has touched the page.
    const resume = () => void context.resume();
    document.addEventListener('pointerdown', resume);
    return () => {
      document.removeEventListener('pointerdown', resume);
      clearInterval(timer);
      setLevel(0);
      void context.close();
    };
  }, [track]);
  return level;
}

/** Where samples move the meter to. */
export function meter(samples: Float32Array): number {
  const energy = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  const decibels = 10 * Math.log10(energy + 1e-12);
  return Math.min(1, Math.max(0, (decibels - FLOOR) / (CEILING - FLOOR)));
}
