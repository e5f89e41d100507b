//! How many descriptors this process may have: one for each browser, viewer and connection, two for each telephone call.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Fewer are soon spent: a meeting of telephones and the viewers of one livestream.
const FEW: u64 = 4_096;

/// As many as the system lets it have: what processes begin with (1,024 as a rule) is for programs that count theirs on
/// fingers, and who comes when they are spent waits at a closed door. What the studio inherits does it no harm.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "descriptors stay as few as they are");
    }
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < FEW => tracing::warn!(
            limit,
            "few descriptors: each connection takes one, each telephone call two; LimitNOFILE= or ulimit -Hn allows more"
        ),
        limit => tracing::info!(limit, "descriptors"),
    }
}
