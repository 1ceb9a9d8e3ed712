//! Splits the JSON of a list into its items as bytes come in, so that a page is never in memory as a whole. It tracks
//! strings and depth only; what is in an item is for serde to check.

use kube::core::ListMeta;

#[cfg(test)]
mod tests;

/// The longest item: an object has 1.5 MiB at most (etcd's limit), and a little more as JSON.
const MAX_ITEM: usize = 4 * 1024 * 1024;
/// The longest metadata of a list: a continue token has some hundred bytes.
const MAX_META: usize = 64 * 1024;
/// The longest key at the top of a list that is told from others.
const MAX_KEY: usize = 16;
const ITEMS: &[u8] = br#""items""#;
const METADATA: &[u8] = br#""metadata""#;

/// An answer that is no list of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MalformedList {
    /// An item is too large.
    #[error("an item of the list has more than {MAX_ITEM} bytes")]
    Item,
    /// The metadata is too large.
    #[error("the metadata of the list has more than {MAX_META} bytes")]
    Meta,
    /// The JSON is not that of a list.
    #[error("the answer is not a list of objects")]
    Shape,
    /// It ended in the middle.
    #[error("the answer ended before the list did")]
    Cut,
    /// A continue token came a second time.
    #[error("the list does not end: a continue token came twice")]
    Token,
}

/// How much there is in a piece of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes.
    pub(crate) length: usize,
    /// JSON objects.
    pub(crate) objects: usize,
    /// Arrays, and values that follow another.
    pub(crate) values: usize,
}

impl Shape {
    pub(crate) fn of(json: &[u8]) -> Self {
        let (mut shape, mut text) = (Self::default(), Text::default());
        for &byte in json {
            shape.add(byte, text.on(byte));
        }
        shape
    }

    fn add(&mut self, byte: u8, in_text: bool) {
        self.length += 1;
        match byte {
            _ if in_text => {}
            b'{' => self.objects += 1,
            b'[' | b',' => self.values += 1,
            _ => {}
        }
    }
}

/// Where strings begin and end.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    inside: bool,
    escaped: bool,
}

impl Text {
    /// Whether a byte is of a string, its quotes included.
    fn on(&mut self, byte: u8) -> bool {
        if !self.inside {
            self.inside = byte == b'"';
            return self.inside;
        }
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.inside = false;
        }
        true
    }
}

/// Where in the list the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    /// Before or in a key at the top.
    Key,
    /// Before the value of a key.
    Value,
    /// In a value that is of no interest.
    Skipped,
    Meta,
    Items,
    Item,
    End,
}

/// Splits one page.
pub(crate) struct Splitter {
    place: Place,
    depth: usize,
    text: Text,
    key: Vec<u8>,
    buffer: Vec<u8>,
    shape: Shape,
    meta: Option<ListMeta>,
    /// The field `items` was there: a list without it must not be read as an empty one.
    has_items: bool,
}

impl Splitter {
    pub(crate) fn new() -> Self {
        Self {
            place: Place::Start,
            depth: 0,
            text: Text::default(),
            key: Vec::new(),
            buffer: Vec::new(),
            shape: Shape::default(),
            meta: None,
            has_items: false,
        }
    }

    /// Takes bytes up to the end of the next item; says how many it took and whether an item is complete, which
    /// stays until more is fed.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(usize, bool), MalformedList> {
        if self.place == Place::Items {
            self.buffer.clear();
            self.shape = Shape::default();
        }
        for (n, &byte) in bytes.iter().enumerate() {
            if self.on(byte)? {
                return Ok((n + 1, true));
            }
        }
        Ok((bytes.len(), false))
    }

    /// The item that is complete.
    pub(crate) fn item(&self) -> (&[u8], Shape) {
        (&self.buffer, self.shape)
    }

    /// The metadata, once the page has ended.
    pub(crate) fn end(self) -> Result<ListMeta, MalformedList> {
        if self.place != Place::End {
            return Err(MalformedList::Cut);
        }
        if !self.has_items {
            return Err(MalformedList::Shape);
        }
        self.meta.ok_or(MalformedList::Shape)
    }

    fn on(&mut self, byte: u8) -> Result<bool, MalformedList> {
        let in_text = self.text.on(byte);
        if matches!(self.place, Place::Meta | Place::Item) {
            self.capture(byte, in_text)?;
        }
        if in_text {
            return self.on_text(byte).map(|()| false);
        }
        if byte.is_ascii_whitespace() {
            return Ok(false);
        }
        match byte {
            b'{' | b'[' => self.open(byte)?,
            b'}' | b']' => return self.close(),
            b':' if self.depth == 1 && self.place == Place::Key => self.place = Place::Value,
            b',' if self.depth == 1 => {
                self.key.clear();
                self.place = Place::Key;
            }
            b',' => {}
            // A number or a word: the fields of interest may only be `null`, as Go writes an empty one.
            _ => match self.place {
                Place::Value => {
                    self.has_items |= self.key == ITEMS && byte == b'n';
                    self.place = Place::Skipped;
                }
                Place::Skipped | Place::Meta | Place::Item => {}
                _ => return Err(MalformedList::Shape),
            },
        }
        Ok(false)
    }

    fn on_text(&mut self, byte: u8) -> Result<(), MalformedList> {
        match self.place {
            Place::Key if self.key.len() <= MAX_KEY => self.key.push(byte),
            Place::Key | Place::Skipped | Place::Meta | Place::Item => {}
            Place::Value => self.place = Place::Skipped,
            Place::Start | Place::Items | Place::End => return Err(MalformedList::Shape),
        }
        Ok(())
    }

    fn open(&mut self, byte: u8) -> Result<(), MalformedList> {
        self.depth += 1;
        self.place = match (self.place, byte) {
            (Place::Start, b'{') => Place::Key,
            (Place::Value, b'[') if self.key == ITEMS => {
                self.has_items = true;
                Place::Items
            }
            (Place::Value, b'{') if self.key == METADATA => {
                self.capture_from(byte);
                Place::Meta
            }
            (Place::Value, _) => Place::Skipped,
            (Place::Items, b'{') => {
                self.capture_from(byte);
                Place::Item
            }
            (place @ (Place::Skipped | Place::Meta | Place::Item), _) => place,
            _ => return Err(MalformedList::Shape),
        };
        Ok(())
    }

    fn close(&mut self) -> Result<bool, MalformedList> {
        self.depth = self.depth.checked_sub(1).ok_or(MalformedList::Shape)?;
        match (self.place, self.depth) {
            (Place::Item, 2) => {
                self.place = Place::Items;
                return Ok(true);
            }
            (Place::Meta, 1) => {
                let meta = serde_json::from_slice(&self.buffer).map_err(|_| MalformedList::Shape)?;
                self.meta = Some(meta);
                self.buffer.clear();
                self.place = Place::Skipped;
            }
            (Place::Items, 1) => self.place = Place::Skipped,
            (_, 0) => self.place = Place::End,
            _ => {}
        }
        Ok(false)
    }

    fn capture_from(&mut self, byte: u8) {
        self.buffer.clear();
        self.buffer.push(byte);
        self.shape = Shape { length: 1, objects: 1, values: 0 };
    }

    fn capture(&mut self, byte: u8, in_text: bool) -> Result<(), MalformedList> {
        let (most, error) = match self.place {
            Place::Meta => (MAX_META, MalformedList::Meta),
            _ => (MAX_ITEM, MalformedList::Item),
        };
        if self.buffer.len() >= most {
            return Err(error);
        }
        self.buffer.push(byte);
        self.shape.add(byte, in_text);
        Ok(())
    }
}
