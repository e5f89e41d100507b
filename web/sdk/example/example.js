// A meeting in forty lines: who is in it, what is heard and seen, one's own microphone and camera.
import { Meeting, Rest } from '/sdk/huitong.js';

const form = document.querySelector('form');
const [, leave] = form.querySelectorAll('button');
const say = text => (document.querySelector('[role=status]').textContent = text);
const elements = new Map();

form.onsubmit = async event => {
  event.preventDefault();
  const { number, name, password } = Object.fromEntries(new FormData(form));
  try {
    const { id } = await new Rest().meetingByNumber(number);
    const own = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    const [microphone] = own.getAudioTracks();
    const [camera] = own.getVideoTracks();
    const meeting = await Meeting.join({ meeting: id, name, password, tracks: { microphone, camera } });
    meeting.on('change', show);
    meeting.on('ended', ({ reason }) => {
      say(reason);
      own.getTracks().forEach(track => track.stop());
      for (const element of elements.values()) element.remove();
    });
    leave.hidden = false;
    leave.onclick = () => meeting.leave();
    await meeting.setCamera(camera);
    show(meeting.state);
  } catch (problem) {
    say(problem.title || problem.message);
  }
};

function show({ meeting, participants, received }) {
  say(`${meeting.title}: ${participants.map(({ name }) => name).join(', ')}`);
  for (const { mid, kind, participant, stream } of received) {
    const element = elements.get(mid) ?? document.createElement(kind === 'audio' ? 'audio' : 'video');
    if (!elements.has(mid)) Object.assign(element, { autoplay: true, playsInline: true });
    if (element.srcObject !== stream) element.srcObject = stream;
    elements.set(mid, element);
    element.hidden = participant === null;
    if (!element.isConnected) document.querySelector('#pictures').append(element);
  }
}
