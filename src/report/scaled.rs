//! Drawing in the units that a picture is shown in, on twice as many pixels: text is crisp, and its letters stand where they should.

use ab_glyph::{Font, FontRef, Glyph, ScaleFont, point};
use plotters::prelude::{BitMapBackend, DrawingBackend};
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};

use crate::base::error::{Error, ErrorKind, Result};

/// Pixels of a picture for one of those it is shown in, in each direction.
pub(super) const SCALE: usize = 2;
const FACTOR: i32 = SCALE as i32;

/// plotters' bitmap, in units of [`SCALE`] pixels. A bitmap that is put into it has pixels of its own: it is not scaled.
///
/// Text is drawn here, and not by plotters, which puts each letter on a whole pixel and forgets the room before it: "ep och".
pub(super) struct Scaled<'a> {
    bitmap: BitMapBackend<'a>,
    font: FontRef<'static>,
}

/// The one font.
pub(super) const FONT_FILE: &[u8] = include_bytes!("font/DejaVuSans.ttf");

impl<'a> Scaled<'a> {
    /// On this buffer of RGB values, whose size is given in the units of drawing.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if the bundled font cannot be read.
    pub(super) fn new(buffer: &'a mut [u8], (width, height): (usize, usize)) -> Result<Self> {
        let bitmap = BitMapBackend::with_buffer(buffer, ((width * SCALE) as u32, (height * SCALE) as u32));
        let font = FontRef::try_from_slice(FONT_FILE)
            .map_err(|_| Error::new(ErrorKind::Render, "the bundled font cannot be read"))?;
        Ok(Self { bitmap, font })
    }

    /// The letters of a text in a size, on a line that begins at 0, half that size below the top; and where the next letter would begin.
    fn line(&self, text: &str, size: f32) -> (Vec<Glyph>, f32) {
        let font = self.font.as_scaled(size);
        let (mut x, mut before, mut glyphs) = (0.0, None, Vec::new());
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            x += before.map_or(0.0, |before| font.kern(before, id));
            glyphs.push(id.with_scale_and_position(size, point(x, size / 2.0)));
            x += font.h_advance(id);
            before = Some(id);
        }
        (glyphs, x)
    }
}

/// Pixels of a text's size.
fn pixels(style: &impl BackendTextStyle) -> f32 {
    (style.size() * SCALE as f64) as f32
}

/// The height of a line of this size, from the top of its letters to their foot: plotters' measure, which charts are laid out by.
fn height(size: f32) -> f32 {
    size / 1.24
}

type Drawn = std::result::Result<(), DrawingErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>>;

/// A line's style, as thick as it has to be.
struct Thick(BackendColor, u32);

impl Thick {
    fn of(style: &impl BackendStyle) -> Self {
        Self(style.color(), style.stroke_width() * SCALE as u32)
    }
}

impl BackendStyle for Thick {
    fn color(&self) -> BackendColor {
        self.0
    }

    fn stroke_width(&self) -> u32 {
        self.1
    }
}

fn scaled((x, y): BackendCoord) -> BackendCoord {
    (x * FACTOR, y * FACTOR)
}

/// The lower right pixel of a unit.
fn corner((x, y): BackendCoord) -> BackendCoord {
    (x * FACTOR + FACTOR - 1, y * FACTOR + FACTOR - 1)
}

impl DrawingBackend for Scaled<'_> {
    type ErrorType = <BitMapBackend<'static> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        let (width, height) = self.bitmap.get_size();
        (width / SCALE as u32, height / SCALE as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        self.bitmap.ensure_prepared()
    }

    fn present(&mut self) -> Drawn {
        self.bitmap.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, colour: BackendColor) -> Drawn {
        self.bitmap.draw_rect(scaled(point), corner(point), &colour, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.bitmap.draw_path([scaled(from), scaled(to)], &Thick::of(style))
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        lower_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if fill {
            return self.bitmap.draw_rect(scaled(upper_left), corner(lower_right), style, true);
        }
        let ((left, top), (right, bottom)) = (upper_left, lower_right);
        let around = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        self.bitmap.draw_path(around.map(scaled), &Thick::of(style))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        self.bitmap.draw_path(path.into_iter().map(scaled), &Thick::of(style))
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        self.bitmap.draw_circle(scaled(centre), radius * SCALE as u32, &Thick::of(style), fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Drawn {
        self.bitmap.fill_polygon(corners.into_iter().map(scaled), style)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let size = pixels(style);
        let (glyphs, width) = self.line(text, size);
        let (colour, anchor, turned) = (style.color(), style.anchor(), style.transform());
        let left = match anchor.h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        let top = match anchor.v_pos {
            VPos::Top => 0.0,
            VPos::Center => -height(size) / 2.0,
            VPos::Bottom => -height(size),
        };
        let ((x, y), (wide, high)) = (scaled(at), self.bitmap.get_size());
        for mut glyph in glyphs {
            // To a fraction of a pixel across the line; along its height, lines stay sharp.
            glyph.position.x += left;
            glyph.position.y += top.round();
            let Some(outline) = self.font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            let mut dots = Vec::new();
            outline.draw(|across, down, share| dots.push((across as i32, down as i32, share)));
            for (across, down, share) in dots {
                let (dx, dy) = turned.transform(corner.x as i32 + across, corner.y as i32 + down);
                let (x, y) = (x + dx, y + dy);
                if (0..wide as i32).contains(&x) && (0..high as i32).contains(&y) {
                    let alpha = colour.alpha * f64::from(share.clamp(0.0, 1.0));
                    self.bitmap.draw_pixel((x, y), BackendColor { alpha, ..colour })?;
                }
            }
        }
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> std::result::Result<(u32, u32), DrawingErrorKind<Self::ErrorType>> {
        let size = pixels(style);
        let shown = |pixels: f32| (pixels / SCALE as f32).ceil() as u32;
        Ok((shown(self.line(text, size).1), shown(height(size))))
    }

    fn blit_bitmap(&mut self, at: BackendCoord, size: (u32, u32), pixels: &[u8]) -> Drawn {
        self.bitmap.blit_bitmap(scaled(at), size, pixels)
    }
}
