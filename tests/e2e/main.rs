//! End to end: the real server, real phones, real sockets. Run one after the other: two cores carry one story at a time.

mod api;
mod audience;
mod authorization;
mod breakout;
mod browser;
mod calls;
mod chat;
mod dial_out;
mod guessing;
mod keypad;
mod load;
mod operation;
mod phone;
mod pictures;
mod push;
mod quality;
mod recording;
mod reminder;
mod screens;
mod sign_on;
mod sip;
mod strangers;
mod upkeep;
mod web;
