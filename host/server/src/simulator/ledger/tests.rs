use super::*;

fn text(n: usize) -> Text {
    Text {
        provider_id: format!("sim_{n}"),
        ours: Some(format!("msg_{n}")),
        from: None,
        to: PhoneNumber::parse("+15125550142").unwrap(),
        body: String::new(),
        media: Vec::new(),
        segments: 1,
        status: "sent",
        at: Timestamp::UNIX_EPOCH,
        status_url: String::new(),
        held: false,
    }
}

#[test]
fn keeps_only_the_newest() {
    let mut ledger = Ledger::default();
    for n in 0..2_100 {
        assert!(ledger.take_text(text(n)).is_none());
    }
    let phone = text(0).to;
    let kept: Vec<_> = ledger.texts(&phone).map(|text| &text.provider_id).collect();
    assert_eq!((kept.len(), kept[0].as_str()), (2_000, "sim_100"));
}

#[test]
fn takes_an_id_once_and_stumbles_once() {
    let mut ledger = Ledger::default();
    assert!(ledger.take_text(text(1)).is_none());
    let mut other = text(1);
    other.provider_id = "sim_other".to_owned();
    let known = ledger.take_text(other).unwrap();
    assert_eq!(known.provider_id, "sim_1");
    assert!(ledger.stumbles("msg_1"));
    assert!(!ledger.stumbles("msg_1"));
    assert!(ledger.stumbles("msg_2"));
}
