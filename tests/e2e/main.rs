//! End to end: the real server, real phones, real sockets. Run one after the other: two cores carry one story at a time.

mod api;
mod browser;
mod operation;
mod phone;
mod pictures;
mod screens;
mod strangers;
mod web;
