//! Which hub may write what: each marks what it writes with its ID, and leaves alone what bears another's. It reads no
//! object and writes none.

/// Who this hub is, and whose objects it may write besides its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubClaim {
    /// The ID of this hub.
    pub id: String,
    /// The IDs of hubs whose objects this one takes over.
    pub take_over: Vec<String>,
}

impl HubClaim {
    /// Whether an object that bears this hub ID may be written. One without any was never claimed.
    pub fn may_write(&self, hub: Option<&str>) -> bool {
        hub.is_none_or(|hub| hub == self.id || self.take_over.iter().any(|taken| taken == hub))
    }
}

#[cfg(test)]
mod tests {
    //! Whose objects may be written.

    use super::HubClaim;

    #[test]
    fn what_another_hub_wrote_is_not_ours_to_write_unless_it_is_taken_over() {
        let ours = HubClaim { id: "ours".to_owned(), take_over: vec!["old".to_owned()] };
        assert!(ours.may_write(None) && ours.may_write(Some("ours")) && ours.may_write(Some("old")));
        assert!(!ours.may_write(Some("other")));
    }
}
