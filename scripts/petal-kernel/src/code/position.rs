//! Jupyter counts characters (of Unicode), evcxr bytes.

/// The byte at which the character of this number begins.
pub(crate) fn byte_of(code: &str, character: usize) -> usize {
    code.char_indices().nth(character).map_or(code.len(), |(byte, _)| byte)
}

/// The number of the character that begins at this byte.
pub(crate) fn character_of(code: &str, byte: usize) -> usize {
    code.char_indices().take_while(|(at, _)| *at < byte).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_characters_are_told_apart() {
        let code = "é = 🌸.a";
        for (character, byte) in [(0, 0), (1, 2), (4, 5), (5, 9), (7, 11), (99, 11)] {
            assert_eq!(byte_of(code, character), byte);
            assert_eq!(character_of(code, byte), character.min(7));
        }
    }
}
