package sim

import (
	"fmt"
	"math"
	"strings"
)

// Chart draws the day-end equity and its drawdown as SVG. Equal days give equal bytes.
func Chart(title string, capital float64, days []Day) []byte {
	const width, height, left, right, top, split, bottom = 960, 480, 70, 20, 40, 310, 440
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", escape(title), width, height)
	fmt.Fprintf(&b, `<text x="%d" y="24" font-size="15" fill="#1f2937">%s</text>`+"\n", left, escape(title))
	equity, drawdown := make([]float64, len(days)), make([]float64, len(days))
	low, high, deepest := capital, capital, 0.0
	for i, d := range days {
		equity[i], drawdown[i] = d.Equity, -100*d.Drawdown
		low, high, deepest = math.Min(low, d.Equity), math.Max(high, d.Equity), math.Min(deepest, drawdown[i])
	}
	if high == low {
		low, high = low*0.99, high*1.01
	}
	if deepest == 0 {
		deepest = -1
	}
	up := panel{left: left, right: width - right, top: top, bottom: split - 20, low: low, high: high}
	down := panel{left: left, right: width - right, top: split, bottom: bottom, low: deepest, high: 0}
	up.grid(&b, func(v float64) string { return fmt.Sprintf("%.0f", v) })
	down.grid(&b, func(v float64) string { return fmt.Sprintf("%.1f%%", v) })
	fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.2f" y2="%.2f" stroke="#9ca3af" stroke-dasharray="4 4"/>`+"\n", left, width-right, up.y(capital), up.y(capital))
	if n := len(days); n > 0 {
		fmt.Fprintf(&b, `<polygon points="%s %.2f,%.2f %.2f,%.2f" fill="#fecaca" stroke="#dc2626" stroke-width="1"/>`+"\n",
			down.points(drawdown), down.x(n-1, n), down.y(0), down.x(0, n), down.y(0))
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="#1d4ed8" stroke-width="1.5"/>`+"\n", up.points(equity))
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#4b5563">%s</text>`+"\n", left, height-16, days[0].Date)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#4b5563" text-anchor="end">%s</text>`+"\n", width-right, height-16, days[n-1].Date)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#4b5563">equity</text>`+"\n<text x=\"%d\" y=\"%d\" fill=\"#4b5563\">drawdown</text>\n</svg>\n", left+6, top+12, left+6, bottom-6)
	return []byte(b.String())
}

type panel struct {
	left, right, top, bottom float64
	low, high                float64
}

func (p panel) x(i, n int) float64 {
	if n < 2 {
		return p.left
	}
	return p.left + (p.right-p.left)*float64(i)/float64(n-1)
}

func (p panel) y(v float64) float64 {
	return p.bottom - (p.bottom-p.top)*(v-p.low)/(p.high-p.low)
}

func (p panel) points(values []float64) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprintf("%.2f,%.2f", p.x(i, len(values)), p.y(v))
	}
	return strings.Join(parts, " ")
}

func (p panel) grid(b *strings.Builder, label func(float64) string) {
	for i := range 4 {
		v := p.low + (p.high-p.low)*float64(i)/3
		fmt.Fprintf(b, `<line x1="%.2f" x2="%.2f" y1="%.2f" y2="%.2f" stroke="#e5e7eb"/>`+"\n", p.left, p.right, p.y(v), p.y(v))
		fmt.Fprintf(b, `<text x="%.2f" y="%.2f" fill="#4b5563" text-anchor="end">%s</text>`+"\n", p.left-6, p.y(v)+4, label(v))
	}
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
