//! Hashes as people and JSON see them.

/// Two digits a byte, in lower case.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that [`encode`] was given; `None` where the text is not so many of them.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = (high? << 4 | low?) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_hash_and_its_digits() {
        assert_eq!(super::encode([0x00, 0x9f, 0xff]), "009fff");
        assert_eq!(super::decode("009fFF"), Some([0x00, 0x9f, 0xff]));
        for wrong in ["", "009f", "009fff0", "009fff00", "+09fff", "009fé"] {
            assert_eq!(super::decode::<3>(wrong), None, "{wrong}");
        }
    }
}
