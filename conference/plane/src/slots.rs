//! Which source goes into which receiving slot. Pure.

/// Puts the first `slots.len()` of `wanted`, most wanted first, into slots. Whoever already has one of them keeps it, so
/// that nobody's picture jumps because somebody else came. Says which slots changed.
pub(crate) fn assign<S: Copy + PartialEq>(slots: &mut [Option<S>], wanted: &[S]) -> Vec<usize> {
    let wanted = &wanted[..wanted.len().min(slots.len())];
    let before = slots.to_vec();
    for slot in slots.iter_mut() {
        *slot = slot.filter(|source| wanted.contains(source));
    }
    let mut newcomers = wanted.iter().copied().filter(|source| !before.contains(&Some(*source)));
    for slot in slots.iter_mut().filter(|slot| slot.is_none()) {
        *slot = newcomers.next();
    }
    (0..slots.len()).filter(|&index| slots[index] != before[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_slot_keeps_it() {
        let check = |before: &[Option<u8>], wanted: &[u8], after: &[Option<u8>], changed: &[usize]| {
            let mut slots = before.to_vec();
            assert_eq!(assign(&mut slots, wanted), changed, "{before:?} {wanted:?}");
            assert_eq!(slots, after, "{before:?} {wanted:?}");
        };
        check(&[None, None], &[1], &[Some(1), None], &[0]);
        check(&[Some(1), None], &[2, 1], &[Some(1), Some(2)], &[1]);
        check(&[Some(1), Some(2)], &[2], &[None, Some(2)], &[0]);
        check(&[Some(1), Some(2)], &[3, 2, 1], &[Some(3), Some(2)], &[0]);
        check(&[Some(1), Some(2)], &[], &[None, None], &[0, 1]);
        check(&[], &[1, 2], &[], &[]);
    }
}
