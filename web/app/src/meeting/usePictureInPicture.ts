import { useEffect, useRef, useState } from 'react';
import { initials } from '../names';
import { hueOf, spotlight } from './people';
import { useTalk } from './talk';
import { useMeeting, useMeetingState } from './useMeeting';

/** Of what stands for a picture. */
const [WIDTH, HEIGHT] = [640, 360];

/** A still picture is painted again so often: a stream without pictures is shown as nothing. */
const AGAIN_MS = 500;

export const canFloat = (): boolean => document.pictureInPictureEnabled;

/** 画中画: who speaks, in a small window over all others. Gives whether it is open, and what opens and closes it. */
export function usePictureInPicture(): { isOpen: boolean; toggle: () => Promise<void> } {
  const meeting = useMeeting();
  const pinned = useTalk(state => state.pinned);
  const [isOpen, setOpen] = useState(false);
  const before = useRef<string | null>(null);
  const video = useRef<HTMLVideoElement | null>(null);
  const who = useMeetingState(state => {
    const shown = state.participants.find(({ id, screen }) => screen && id !== state.you);
    return shown?.id ?? spotlight(state, before.current, pinned);
  });
  const participant = useMeetingState(({ participants }) => participants.find(({ id }) => id === who));
  const stream = useMeetingState(() => {
    if (!participant || participant.id === meeting.you) return null;
    if (participant.screen) return meeting.stream(participant.id, 'screen');
    return participant.camera ? meeting.stream(participant.id, 'camera') : null;
  });
  const { id, name } = participant ?? { id: '', name: '' };

  useEffect(() => {
    before.current = who;
  }, [who]);

  useEffect(() => {
    const element = video.current;
    if (!isOpen || !element) return;
    if (stream) {
      element.srcObject = stream;
      void element.play().catch(() => undefined);
      return;
    }
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [WIDTH, HEIGHT];
    const paint = () => portray(canvas, name, hueOf(id));
    paint();
    const timer = setInterval(paint, AGAIN_MS);
    element.srcObject = canvas.captureStream();
    void element.play().catch(() => undefined);
    return () => clearInterval(timer);
  }, [isOpen, stream, id, name]);

  useEffect(
    () => () => {
      if (video.current && document.pictureInPictureElement === video.current) {
        void document.exitPictureInPicture().catch(() => undefined);
      }
      video.current?.remove();
    },
    [],
  );

  const toggle = async () => {
    // Not by `isOpen`: it is told later, and whoever is quick would open a second one.
    if (document.pictureInPictureElement) return document.exitPictureInPicture();
    video.current?.remove();
    const element = document.createElement('video');
    element.muted = element.playsInline = true;
    element.dataset['testid'] = 'floating';
    // One that isn't in the page or not laid out isn't let float everywhere.
    element.style.cssText = 'position:fixed;width:1px;height:1px;opacity:0;pointer-events:none;bottom:0';
    element.ariaHidden = 'true';
    document.body.append(element);
    video.current = element;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [WIDTH, HEIGHT];
    portray(canvas, name, hueOf(id));
    element.srcObject = stream ?? canvas.captureStream();
    element.addEventListener('enterpictureinpicture', () => setOpen(true));
    element.addEventListener('leavepictureinpicture', () => {
      setOpen(false);
      element.remove();
    });
    await element.play();
    await element.requestPictureInPicture();
  };
  return { isOpen, toggle };
}

/** Paints what stands for who shows no picture. */
function portray(canvas: HTMLCanvasElement, name: string, hue: number): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  context.fillStyle = '#232b30';
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = `hsl(${hue} 32% 34%)`;
  context.beginPath();
  context.arc(WIDTH / 2, HEIGHT / 2 - 20, 90, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = '#fff';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.font = '550 64px system-ui, sans-serif';
  context.fillText(initials(name), WIDTH / 2, HEIGHT / 2 - 16);
  context.font = '26px system-ui, sans-serif';
  context.fillText(name, WIDTH / 2, HEIGHT - 40, WIDTH - 40);
}
