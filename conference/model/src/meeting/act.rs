//! What participants do, and who may.

use super::*;

impl Meeting {
    pub(super) fn act(&mut self, by: ParticipantId, action: Action, livestream: BroadcastId, now: Duration) -> Outcome {
        let actor = self.seats.get(&by).ok_or(Refusal::NoSuchParticipant)?;
        let (role, is_asked) = (actor.person.role, actor.asked);
        let (is_web, is_phone) = (actor.person.via == ViaKind::Web, actor.person.via == ViaKind::Phone);
        let allowed = |may: bool| if may { Ok(()) } else { Err(Refusal::NotAllowed) };
        let host = || allowed(role == Role::Host);
        let manager = || allowed(role.manages());
        match action {
            Action::Mute { participant } => {
                self.may_touch(by, participant)?;
                Ok(self.set_muted(participant, true, by != participant))
            }
            Action::Unmute { participant } if participant == by => {
                if self.is_muted(by) && !(role.manages() || is_asked || self.view.self_unmute) {
                    return Err(Refusal::NoSelfUnmute);
                }
                // Who asks for it is there: his telephone was not forgotten on hold.
                let mut effects = self.free_line(by, Effect::ListenAnew(by));
                effects.extend(self.set_muted(by, false, false));
                Ok(effects)
            }
            Action::Unmute { participant } => {
                self.may_touch(by, participant)?;
                // A host has heard of the music and wants it.
                let mut effects = self.free_line(participant, Effect::LetMusic(participant));
                effects.extend(self.open(participant));
                Ok(effects)
            }
            Action::MuteAll { self_unmute } => {
                manager()?;
                Ok(self.mute_all(self_unmute))
            }
            Action::UnmuteAll => {
                manager()?;
                let all = self.all();
                let open = |id| {
                    let mut effects = self.free_line(id, Effect::ListenAnew(id));
                    effects.extend(self.open(id));
                    effects
                };
                Ok(all.into_iter().flat_map(open).collect())
            }
            Action::AllowSelfUnmute { on } => {
                manager()?;
                Ok(self.set_self_unmute(on))
            }
            Action::MuteOnEntry { on } => {
                manager()?;
                Ok(self.change_meeting(|meeting| meeting.mute_on_entry = on))
            }
            Action::Camera { .. } if is_phone => Err(Refusal::NotAllowed),
            Action::Screen { .. } if !is_web => Err(Refusal::NotAllowed),
            Action::Camera { on } => Ok(self.change(by, |person| person.camera = on)),
            Action::Screen { on: true } if self.view.share_locked && !role.manages() => Err(Refusal::ShareLocked),
            Action::Screen { on } => {
                let mut effects = if on { self.screen_is_on(by) } else { Vec::new() };
                effects.extend(self.change(by, |person| person.screen = on));
                Ok(effects)
            }
            Action::ShowWhiteboard => self.show_whiteboard(by),
            Action::ShowPage { url, name } => self.show_page(by, &url, name.as_deref()),
            Action::ShowFile { kind, file } => self.show_file(by, kind, file),
            Action::TurnTo { page } => self.turn_to(by, page),
            Action::StopShowing => self.stop_showing(by),
            Action::Draw { drawing } => self.draw(by, drawing),
            Action::StopCamera { participant } => {
                self.may_touch(by, participant)?;
                self.let_be_seen(participant, false);
                let mut effects = self.change(participant, |person| person.camera = false);
                if !effects.is_empty() && participant != by {
                    effects.push(Effect::Notify(participant, Notice::CameraStopped));
                }
                Ok(effects)
            }
            Action::StopScreen { participant } => {
                self.may_touch(by, participant)?;
                let mut effects = self.change(participant, |person| person.screen = false);
                if !effects.is_empty() && participant != by {
                    effects.push(Effect::Notify(participant, Notice::ShareStopped));
                }
                Ok(effects)
            }
            Action::AskCamera { participant } => {
                manager()?;
                let person = self.exists(participant)?;
                allowed(person.via != ViaKind::Phone || person.video)?;
                if person.via != ViaKind::Web {
                    // It can't be asked; what it sends is shown again.
                    self.let_be_seen(participant, true);
                    return Ok(self.change(participant, |person| person.camera = true));
                }
                let asks = !person.camera;
                Ok(asks.then_some(Effect::Notify(participant, Notice::AskedToShow)).into_iter().collect())
            }
            Action::Hand { up } => Ok(self.change(by, |person| person.hand = up)),
            Action::LowerHand { participant } => {
                manager()?;
                self.exists(participant)?;
                Ok(self.change(participant, |person| person.hand = false))
            }
            Action::LowerHands => {
                manager()?;
                let mut effects = self.lower_viewers_hands();
                let all = self.all();
                effects.extend(all.into_iter().flat_map(|id| self.change(id, |person| person.hand = false)));
                Ok(effects)
            }
            Action::React { reaction } => Ok(vec![self.tell(Event::Reacted { participant: by, reaction })]),
            Action::Spotlight { participant } => {
                manager()?;
                participant.map(|id| self.exists(id).map(|_| ())).transpose()?;
                Ok(self.change_meeting(|meeting| meeting.spotlight = participant))
            }
            Action::Rename { participant, name } => {
                self.may_touch(by, participant)?;
                let name = check_name(&name).map_err(|_| Refusal::BadName)?;
                Ok(self.change(participant, |person| person.name = name))
            }
            Action::Remove { participant } => {
                allowed(participant != by)?;
                self.may_touch(by, participant)?;
                Ok(self.remove(participant))
            }
            Action::MakeHost { participant } => {
                host()?;
                self.exists(participant)?;
                let mut effects = self.promote(participant, Role::Host);
                if participant != by {
                    effects.extend(self.set_role(by, Role::Member));
                }
                Ok(effects)
            }
            Action::MakeCoHost { participant, on } => {
                host()?;
                allowed(participant != by)?;
                self.exists(participant)?;
                Ok(if on { self.promote(participant, Role::CoHost) } else { self.set_role(participant, Role::Member) })
            }
            Action::Lock { on } => {
                manager()?;
                Ok(self.change_meeting(|meeting| meeting.locked = on))
            }
            Action::LockShare { on } => {
                manager()?;
                Ok(self.lock_share(on))
            }
            Action::WaitingRoom { on } => {
                manager()?;
                let mut effects = self.change_meeting(|meeting| meeting.waiting_room = on);
                effects.extend(self.look_at_the_door());
                Ok(effects)
            }
            Action::Admit { participant } => {
                manager()?;
                self.admit(participant)
            }
            Action::AdmitAll => {
                manager()?;
                Ok(self.admit_all())
            }
            Action::Deny { participant } => {
                manager()?;
                self.deny(participant)
            }
            Action::TellWaiting { text } => {
                manager()?;
                self.tell_who_waits(&text)
            }
            Action::Chat { to, text } => self.say(by, to, &text, now),
            Action::TellViewers { text } => {
                manager()?;
                self.tell_viewers(by, &text, now)
            }
            Action::AllowViewers { may } => {
                manager()?;
                Ok(self.allow_viewers(may))
            }
            Action::AnswerQuestion { question, answered } => {
                manager()?;
                self.answer_question(question, answered)
            }
            Action::RemoveQuestion { question } => {
                manager()?;
                self.remove_question(question)
            }
            Action::LowerViewerHand { viewer } => {
                manager()?;
                Ok(self.lower_viewers_hand(viewer))
            }
            Action::CallUp { viewer } => {
                manager()?;
                self.call_up(viewer, now)
            }
            Action::SendBack { participant } => {
                manager()?;
                let seat = self.seats.get(&participant).ok_or(Refusal::NoSuchParticipant)?;
                allowed(seat.viewer.is_some())?;
                Ok(self.leave(participant, LeaveReason::Left))
            }
            Action::RemoveChat { message } => {
                manager()?;
                self.remove_chat(message)
            }
            Action::HandRound { to, file } => self.hand_round(by, to, file, now),
            Action::OpenBreakouts { rooms, spread } => {
                manager()?;
                self.open_breakouts(rooms, spread)
            }
            Action::CloseBreakouts => {
                manager()?;
                Ok(self.close_breakouts())
            }
            Action::TimeBreakouts { minutes } => {
                manager()?;
                self.time_breakouts(minutes, now)
            }
            Action::TellRooms { text } => {
                manager()?;
                self.announce(by, &text, now)
            }
            Action::AskHelp { on } => {
                allowed(!on || self.room_of(by).is_some())?;
                Ok(self.change(by, |person| person.asks_help = on))
            }
            Action::MoveTo { participant, room } => {
                self.may_touch(by, participant)?;
                self.move_to(participant, room)
            }
            Action::StartPoll { question, choices, multiple, viewers } => {
                manager()?;
                let poll = self.polls.start(&question, &choices, multiple, viewers)?;
                Ok(vec![self.tell(Event::PollChanged { poll })])
            }
            Action::Vote { poll, choices } => {
                self.polls.vote(by, poll, choices)?;
                Ok(Vec::new())
            }
            Action::ClosePoll { poll } => {
                manager()?;
                let closed = self.polls.close(poll)?;
                Ok(closed.map(|poll| self.tell(Event::PollChanged { poll })).into_iter().collect())
            }
            Action::Extend { minutes } => {
                host()?;
                self.extend(minutes)
            }
            Action::Enlarge { by } => {
                host()?;
                self.enlarge(by)
            }
            Action::Dial { number, name } => {
                manager()?;
                self.dial(PhoneNumber::new(number), name.as_deref())
            }
            Action::Redial { dial } => {
                manager()?;
                let again = self.again(dial).ok_or(Refusal::NoSuchParticipant)?;
                self.act(by, again, livestream, now)
            }
            Action::StopDial { dial } => {
                manager()?;
                self.stop_dial(dial)
            }
            Action::StartBroadcast => {
                host()?;
                if !self.view.livestream {
                    return Err(Refusal::NoLivestream);
                }
                Ok(self.start_broadcast(livestream))
            }
            Action::StopBroadcast => {
                host()?;
                let running = self.broadcast.take().is_some();
                let stop =
                    running.then(|| [Effect::StopBroadcast, self.tell(Event::BroadcastChanged { broadcast: None })]);
                Ok(stop.into_iter().flatten().collect())
            }
            Action::StartPush { url, name } => {
                host()?;
                self.start_push(url, name.as_deref())
            }
            Action::StopPush { push } => {
                host()?;
                self.stop_push(push)
            }
            Action::StartRecording => {
                host()?;
                Ok(self.record(true, Effect::StartRecording))
            }
            Action::StopRecording => {
                host()?;
                Ok(self.record(false, Effect::StopRecording))
            }
            Action::Layout { layout } => {
                manager()?;
                self.layout = layout;
                Ok(self.change_broadcast(|view| view.layout = layout))
            }
            Action::ClaimHost { pin } => self.claim_host(by, &pin, now),
            Action::OnHold { on } => {
                allowed(is_phone)?;
                Ok(self.hold(by, on))
            }
            Action::SendsVideo { on } => {
                allowed(is_phone)?;
                Ok(self.sends_video(by, on))
            }
            Action::OtherRoomLayout => {
                allowed(is_phone)?;
                self.room_layout = Some(self.room_layout().next());
                Ok(Vec::new())
            }
            Action::Stalled { on } => {
                self.stalled(by, on);
                Ok(Vec::new())
            }
            Action::HungUp => Ok(self.hung_up(by, now)),
            Action::Leave => Ok(self.leave(by, LeaveReason::Left)),
            Action::Away => Ok(self.keep_seat(by, Absent { until: now + RELOAD, then: LeaveReason::Left })),
            Action::End => {
                host()?;
                Ok(self.close(EndReason::MeetingEnded))
            }
        }
    }

    /// Oneself; anyone for hosts; anyone but the host for co-hosts.
    fn may_touch(&self, by: ParticipantId, whom: ParticipantId) -> Result<(), Refusal> {
        let role = self.exists(by)?.role;
        let may = by == whom || role.manages();
        if !may {
            return Err(Refusal::NotAllowed);
        }
        let whose = self.exists(whom)?.role;
        if by != whom && whose == Role::Host && role != Role::Host { Err(Refusal::NotAllowed) } else { Ok(()) }
    }

    /// C13: what members share ends.
    fn lock_share(&mut self, on: bool) -> Vec<Effect> {
        let mut effects = self.change_meeting(|meeting| meeting.share_locked = on);
        let shows = self.view.shown.as_ref().map(|shown| shown.by);
        if on && shows.is_some_and(|id| !self.manages(id)) {
            effects.extend(self.change_meeting(|meeting| meeting.shown = None));
        }
        let is_sharing = |seat: &&Seat| seat.person.screen || shows == Some(seat.person.id);
        let sharing = self.seats.values().filter(is_sharing).filter(|seat| !seat.person.role.manages());
        let sharing: Vec<_> = sharing.map(|seat| seat.person.id).collect();
        for id in sharing.into_iter().filter(|_| on) {
            effects.extend(self.change(id, |person| person.screen = false));
            effects.push(Effect::Notify(id, Notice::ShareStopped));
        }
        effects
    }
}
