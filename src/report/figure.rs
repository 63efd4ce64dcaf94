//! PNG pictures, drawn with plotters.

use std::path::Path;

use base64::Engine;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    BitMapElement, Cartesian2d, ChartBuilder, ChartContext, DrawingArea, IntoDrawingArea, RGBColor,
    SeriesLabelPosition, Text, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, FontTransform, IntoFont, TextStyle, register_font};

use super::plain::{self, escape, printable};
use super::scaled::{FONT_FILE, SCALE, Scaled};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::output;
use crate::pixels::{Rgb, encode_figure, encode_jpeg, is_drawn_by_petal};

/// A picture, with its description for those who do not see it. White behind, so that it reads in light and dark themes; twice as many pixels
/// in each direction as it is shown in, so that it is crisp.
#[derive(Clone)]
pub struct Figure {
    png: Vec<u8>,
    /// The same as JPEG, where it shows photos: a tenth of the bytes in a notebook.
    jpeg: Option<Vec<u8>>,
    width: usize,
    height: usize,
    description: String,
}

impl Figure {
    /// From pixels.
    pub fn new(pixels: &Rgb, description: impl Into<String>) -> Result<Self> {
        let Rgb { width, height, .. } = *pixels;
        Ok(Self { png: encode_figure(pixels)?, jpeg: None, width, height, description: printable(&description.into()) })
    }

    /// From pixels that show photos: a cell shows them as JPEG. [`Figure::save`] writes PNG all the same.
    pub fn of_photos(pixels: &Rgb, description: impl Into<String>) -> Result<Self> {
        Ok(Self { jpeg: Some(encode_jpeg(pixels, 90)?), ..Self::new(pixels, description)? })
    }

    /// The PNG file's bytes.
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// Width and height that it is shown in, in pixels of the page; the picture itself has twice as many.
    pub fn size(&self) -> (usize, usize) {
        (self.width.div_ceil(SCALE), self.height.div_ceil(SCALE))
    }

    /// Writes the PNG file, and gives the figure on, so that a cell can end with it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if another file is there than a figure that petal has drawn: see [`output::write`].
    pub fn save(self, path: impl AsRef<Path>) -> Result<Self> {
        output::write(path.as_ref(), FIGURE, &self.png)?;
        Ok(self)
    }

    /// An image element that holds the picture itself.
    pub fn html(&self) -> String {
        let (mime, bytes) = self.jpeg.as_ref().map_or(("image/png", &self.png), |jpeg| ("image/jpeg", jpeg));
        let data = base64::engine::general_purpose::STANDARD.encode(bytes);
        let (alt, width) = (escape(&self.description), self.size().0);
        format!(
            "<img src=\"data:{mime};base64,{data}\" alt=\"{alt}\" width=\"{width}\" style=\"display:block;max-width:100%;height:auto;margin:0 0 1em\">"
        )
    }

    /// The description.
    pub fn text(&self) -> String {
        format!("[picture: {}]", self.description)
    }

    /// Called by the notebook's kernel to show this: as HTML, which says how large the picture is to be.
    pub fn evcxr_display(&self) {
        plain::show(&[("text/html", &self.html()), ("text/plain", &self.text())]);
    }
}

const FIGURE: output::Kind = output::Kind { name: "a figure", is: is_drawn_by_petal };

/// Draws a picture of this size, in the units that it is shown in.
pub(super) fn draw((width, height): (usize, usize), paint: impl FnOnce(&Canvas) -> Painted) -> Result<Rgb> {
    // For plotters, which wants to know the fonts that are asked for. Parsing it anew takes microseconds; a flag that it was done would be hidden state.
    register_font(FONT, FontStyle::Normal, FONT_FILE)
        .map_err(|_| Error::new(ErrorKind::Render, "the bundled font cannot be read"))?;
    let mut data = vec![255; width * height * SCALE * SCALE * 3];
    let failed = |cause: Box<dyn std::error::Error>| Error::new(ErrorKind::Render, format!("cannot draw: {cause}"));
    {
        let area = Scaled::new(&mut data, (width, height))?.into_drawing_area();
        let canvas = Canvas { area };
        canvas.area.fill(&WHITE).map_err(|cause| failed(cause.into()))?;
        paint(&canvas).map_err(failed)?;
        canvas.area.present().map_err(|cause| failed(cause.into()))?;
    }
    Ok(Rgb { width: width * SCALE, height: height * SCALE, data })
}

impl std::fmt::Debug for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Figure {{ {} × {}, {:?} }}", self.width, self.height, self.description)
    }
}

/// What drawing comes to.
pub(super) type Painted = std::result::Result<(), Box<dyn std::error::Error>>;

/// The bundled font's name in plotters' table.
pub(super) const FONT: &str = "petal-sans";
/// Near black: text and axes.
pub(super) const INK: RGBColor = RGBColor(38, 38, 38);
/// Grey: what is said beside.
pub(super) const SOFT: RGBColor = RGBColor(110, 110, 110);
/// Okabe and Ito's blue: training, right.
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
/// Okabe and Ito's vermilion: validation, wrong. Both are told apart by people who see red and green alike.
pub(super) const VERMILION: RGBColor = RGBColor(213, 94, 0);

/// Okabe and Ito's colours but yellow, which is too light on white: told apart by people who see red and green alike.
pub(super) const COLOURS: [RGBColor; 7] = [
    BLUE,
    VERMILION,
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

/// Where a text stands on its point.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Anchor {
    /// The point is its left end.
    Left,
    /// The point is its middle.
    Centre,
    /// The point is its right end.
    Right,
}

/// A picture while it is drawn.
pub(super) struct Canvas<'a> {
    /// plotters' area, for charts.
    pub(super) area: DrawingArea<Scaled<'a>, Shift>,
}

impl Canvas<'_> {
    /// Writes text, vertically centred on `(x, y)`.
    pub(super) fn text(&self, text: &str, (x, y): (i32, i32), size: f64, colour: RGBColor, anchor: Anchor) -> Painted {
        self.write(text, (x, y), style(size, colour).pos(anchor.pos()))
    }

    /// Writes text from bottom to top, centred on `(x, y)`.
    pub(super) fn upward(
        &self,
        text: &str,
        (x, y): (i32, i32),
        size: f64,
        colour: RGBColor,
        anchor: Anchor,
    ) -> Painted {
        let style = style(size, colour).transform(FontTransform::Rotate270).pos(anchor.pos());
        self.write(text, (x, y), style)
    }

    fn write(&self, text: &str, at: (i32, i32), style: TextStyle) -> Painted {
        Ok(self.area.draw(&Text::new(printable(text), at, style))?)
    }

    /// Puts a picture, which has [`SCALE`] pixels a unit, with its upper left corner at `(x, y)`.
    pub(super) fn picture(&self, picture: &Rgb, at: (i32, i32)) -> Painted {
        let size = (picture.width as u32, picture.height as u32);
        let element =
            BitMapElement::with_ref(at, size, &picture.data).ok_or("a picture of another size than its data")?;
        Ok(self.area.draw(&element)?)
    }

    /// How wide a text is.
    pub(super) fn width(&self, text: &str, size: f64) -> i32 {
        self.area.estimate_text_size(text, &style(size, INK)).map_or(0, |(width, _)| width as i32)
    }

    /// The text, cut with "…" where it is wider than `width`.
    pub(super) fn fitted(&self, text: &str, size: f64, width: i32) -> String {
        let text = printable(text);
        if self.width(&text, size) <= width {
            return text;
        }
        let mut kept: Vec<char> = text.chars().collect();
        while !kept.is_empty() && self.width(&format!("{}…", kept.iter().collect::<String>()), size) > width {
            kept.pop();
        }
        format!("{}…", kept.into_iter().collect::<String>())
    }
}

impl Anchor {
    fn pos(self) -> Pos {
        let horizontal = match self {
            Self::Left => HPos::Left,
            Self::Centre => HPos::Center,
            Self::Right => HPos::Right,
        };
        Pos::new(horizontal, VPos::Center)
    }
}

/// A chart of values over epochs.
pub(super) type EpochChart<'a, 'b> = ChartContext<'a, Scaled<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The frame of a chart of values from `low` to `high` over so many epochs, of which at most so many are named.
pub(super) fn over_epochs<'a, 'b>(
    area: &'a DrawingArea<Scaled<'b>, Shift>,
    title: &str,
    epochs: usize,
    most_named: usize,
    (low, high): (f64, f64),
) -> std::result::Result<EpochChart<'a, 'b>, Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(title, style(18.0, INK))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(58)
        .build_cartesian_2d(0.5..epochs as f64 + 0.5, low..high)?;
    let digits = match high - low {
        span if span > 5.0 => 0,
        span if span > 0.5 => 1,
        _ => 2,
    };
    epoch_axes(&mut chart, epochs.clamp(2, most_named), None, &|y| format!("{y:.digits$}"), Some("epoch"))?;
    Ok(chart)
}

/// Draws the axes of such a chart: how many epochs are named, how many values (plotters' own choice without), how values are written, and what stands
/// below.
pub(super) fn epoch_axes<'a, 'b: 'a>(
    chart: &mut EpochChart<'a, 'b>,
    named: usize,
    values: Option<usize>,
    written: &dyn Fn(&f64) -> String,
    below: Option<&str>,
) -> Painted {
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .axis_style(SOFT)
        .x_labels(named)
        .x_label_formatter(&|x| if (x - x.round()).abs() < 1e-6 { format!("{x:.0}") } else { String::new() })
        .y_label_formatter(written)
        .label_style(style(15.0, INK))
        .axis_desc_style(style(15.0, SOFT));
    if let Some(values) = values {
        mesh.y_labels(values);
    }
    if let Some(below) = below {
        mesh.x_desc(below);
    }
    mesh.draw()?;
    Ok(())
}

/// Draws the legend of such a chart.
pub(super) fn legend<'a, 'b: 'a>(chart: &mut EpochChart<'a, 'b>, corner: SeriesLabelPosition) -> Painted {
    chart
        .configure_series_labels()
        .position(corner)
        .margin(12)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font(style(15.0, INK))
        .draw()?;
    Ok(())
}

/// A text style in the bundled font.
pub(super) fn style(size: f64, colour: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&colour.to_rgba())
}
