/** What the pages of whoever is logged in are made of, as one file to fetch. */
export { InstantMeeting } from './InstantMeeting';
export { Invitation } from './Invitation';
export { MeetingList } from './MeetingList';
