use jiff::civil::date;

use super::{Holidays, easter};

#[test]
fn easter_sundays() {
    for (year, month, day) in [
        (2024, 3, 31),
        (2025, 4, 20),
        (2026, 4, 5),
        (2027, 3, 28),
        (2038, 4, 25),
    ] {
        assert_eq!(easter(year), Some(date(year, month, day)));
    }
}

#[test]
fn the_eleven_days_of_2026() {
    let year = date(2026, 1, 1).series(jiff::Span::new().days(1)).take(365);
    let days: Vec<String> = year
        .filter(|day| Holidays::France.contains(*day))
        .map(|day| day.strftime("%m-%d").to_string())
        .collect();
    let expected = [
        "01-01", "04-06", "05-01", "05-08", "05-14", "05-25", "07-14", "08-15", "11-01", "11-11",
        "12-25",
    ];
    assert_eq!(days, expected);
}
