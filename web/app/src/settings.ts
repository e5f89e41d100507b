import { create } from 'zustand';
import { persist } from 'zustand/middleware';

/** What this browser remembers between meetings. */
interface Settings {
  name: string;
  /** 连接语音, 自动静音, 关闭摄像头: what holds for every meeting. */
  connectAudio: boolean;
  startMuted: boolean;
  cameraOff: boolean;
  /** Letters do something in a meeting while nothing is being typed. */
  shortcuts: boolean;
  /** The system tells of what begins soon while one looks elsewhere. */
  desktopReminders: boolean;
  /** As they were left last. */
  microphoneOn: boolean;
  cameraOn: boolean;
  /** Device ids; empty for the system's choice. */
  microphone: string;
  camera: string;
  speaker: string;
  /** 背景虚化 and 降噪, by our own means. */
  blur: boolean;
  denoise: boolean;
  layout: 'speaker' | 'gallery';
  remember: (changes: Partial<Omit<Settings, 'remember'>>) => void;
}

export const useSettings = create<Settings>()(
  persist(
    set => ({
      name: '',
      connectAudio: true,
      startMuted: false,
      cameraOff: false,
      shortcuts: true,
      desktopReminders: false,
      microphoneOn: true,
      cameraOn: true,
      microphone: '',
      camera: '',
      speaker: '',
      blur: false,
      denoise: false,
      layout: 'speaker',
      remember: changes => set(changes),
    }),
    { name: 'huitong.settings' },
  ),
);
