//! Plot of a group: recall of what is needed against the share of the memories that is kept, one line for each arm.

use std::path::Path;

use plotters::prelude::{
    BLACK, ChartBuilder, Color, IntoDrawingArea, LineSeries, PathElement, SVGBackend, SeriesLabelPosition,
    WHITE,
};
use plotters::style::HSLColor;

use super::arms::ARMS;
use super::table::Group;
use crate::failure::Failure;

/// Size of a plot in pixels.
const SIZE: (u32, u32) = (860, 520);

/// Draws a group into an SVG file.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn draw(group: &Group, file: &Path) -> Result<(), Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::Plot { file: file.to_owned(), reason: error.to_string() };
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let widest = group.rows.iter().filter(|row| row.arm != "all").map(|row| row.keep).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption(&group.name, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..widest * 100.0, 0.0..1.0)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .x_desc("memories kept (%)")
        .y_desc("questions with all evidence recalled")
        .light_line_style(WHITE)
        .draw()
        .map_err(|error| failed(&error))?;
    for (number, arm) in ARMS.iter().enumerate() {
        let color = HSLColor(number as f64 / ARMS.len() as f64, 0.75, 0.42);
        let points = group
            .rows
            .iter()
            .filter(|row| row.arm == arm.name)
            .map(|row| (row.keep * 100.0, row.recall_all.share));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))
            .map_err(|error| failed(&error))?
            .label(arm.name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()
        .map_err(|error| failed(&error))?;
    area.present().map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::super::replay::ArmResult;
    use super::*;

    #[test]
    fn a_plot_has_a_line_and_a_label_for_each_arm() {
        let of = |keep: f64| {
            ARMS.iter().map(move |arm| ArmResult {
                arm: arm.name,
                keep,
                recalled: vec![true, false],
                ordered: vec![],
            })
        };
        let group = Group::new("states", (100, 10), &[of(0.1).chain(of(0.5)).collect()]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("states.svg");
        draw(&group, &file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(ARMS.iter().all(|arm| text.contains(arm.name)), "{text}");
        assert!(text.matches("<polyline").count() >= ARMS.len());
    }
}
